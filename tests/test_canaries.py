"""That a secret which leaks fails the run is shown by runs in which one does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.canaries import Canaries

pytestmark = pytest.mark.promise("S2")

SECRET = "canary-access-0123456789abcdef"


def canaries() -> Canaries:
    made = Canaries()
    made.register([SECRET, "short"])
    return made


@pytest.mark.parametrize(
    "text",
    [
        *("{}", "Bearer {}", "?code={}&state=x", '{{"access_token":"{}"}}', "a\n{}\nb", "key={}"),
        *("refused {}.", "http://localhost:1/cb/{}", "{}/x", "x-{}", "prefix_{}", "%22{}%22"),
    ],
)
def test_secret_is_found_wherever_it_stands(text: str) -> None:
    assert canaries().are_in(text.format(SECRET).encode())


@pytest.mark.parametrize("text", ["{}", "of {}.", "({})", "a={}&b", "a.b/{}/c", '"{}"'])
def test_secret_without_a_mark_is_found_as_a_word(text: str) -> None:
    made = Canaries()
    made.register(
        ["dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "ab12.cd34.ef56-x", "-ends-like-this-"]
    )
    assert made.are_in(text.format("-ends-like-this-").encode())
    assert made.are_in(text.format("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").encode())
    assert made.are_in(text.replace("/", " ").format("ab12.cd34.ef56-x").encode())


@pytest.mark.parametrize("data", [b"", b"short", b"canary", b"canary-access-0123456789abcde*"])
def test_other_text_is_not_a_secret(data: bytes) -> None:
    assert not canaries().are_in(data)


def test_files_are_searched_but_for_those_of_other_programs(tmp_path: Path) -> None:
    for name in ("home/debug.log", "home/state/x.sealed", "browser/trace", "node_modules/a.js"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"token {SECRET} here")
    (tmp_path / "claude_desktop_config.json").write_text(SECRET)
    (tmp_path / "clean").write_text("nothing")
    assert canaries().search(tmp_path) == ["home/debug.log", "home/state/x.sealed"]


LEAKS = {
    "into a file": "(tmp_path / 'a.log').write_text(RUN_SECRET)",
    "to stderr": """
    program = f'import sys; sys.stdin.read(); sys.stderr.write("{RUN_SECRET}")'
    with Host([sys.executable, '-c', program], {}) as host:
        pass
""",
    "to stdout": """
    line = '{"jsonrpc":"2.0","method":"x","params":{"t":"' + RUN_SECRET + '"}}'
    program = [sys.executable, '-c', f"import sys; print('{line}', flush=True); sys.stdin.read()"]
    with Host(program, {}) as host:
        host.notification('x')
""",
    "to stderr, of a header": """
    program = f'import sys; sys.stdin.read(); sys.stderr.write(sys.argv[2])'
    with Host([sys.executable, '-c', program, '--header', 'X-Key: of-this-test-only'], {}) as host:
        pass
""",
    "nowhere": "pass",
}

SAID = {
    "into a file": "secrets in test0/a.log",
    "to stderr": "a secret on stderr",
    "to stdout": "a secret on stdout",
    "to stderr, of a header": "the value of a header on stderr",
    "nowhere": "1 passed",
}
"""What the run says, so that it is for the leak that it fails."""


@pytest.mark.parametrize("leak", LEAKS)
def test_leak_fails_the_run(leak: str, tmp_path: Path) -> None:
    test = tmp_path / "test_leak.py"
    test.write_text(
        "import sys\n"
        "from tests.canaries import RUN\n"
        "from tests.conftest import *\n"
        "from tests.harness.host import Host\n"
        f"RUN_SECRET = {SECRET!r} + '-of-another-run'\n"
        "def test(tmp_path):\n"
        "    RUN.register([RUN_SECRET])\n"
        f"    {LEAKS[leak].strip()}\n"
    )
    root = Path(__file__).parent.parent
    words = ["-q", "-p", "no:cacheprovider", f"--rootdir={tmp_path}", f"--basetemp={tmp_path}/base"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words, "-c", "/dev/null", str(test)],
        cwd=root,
        env={"PYTHONPATH": str(root), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode == 0) is (leak == "nowhere"), done.stdout + done.stderr
    assert SAID[leak] in done.stdout
    if leak == "into a file":
        assert SECRET not in done.stdout.partition("short test summary")[2]
