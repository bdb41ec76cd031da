"""The person's headers: which source wins, and what a command may and may not do."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path

import pytest

from mcp_remote_py.errors import UsageError
from mcp_remote_py.redact import Secret, scrub_known
from mcp_remote_py.settings.headers import (
    MAX_HEADERS_LENGTH,
    Header,
    HeaderFile,
    HeaderSettings,
    read_header_file,
)
from mcp_remote_py.transports.headers import HeaderSource
from tests.fakes import run, until
from tests.harness.host import is_running, wait_until

TOKEN = "canary-93aa17ff02"


def program(folder: Path, text: str) -> tuple[str, ...]:
    """A command that runs this Python text; more words become its arguments."""
    path = folder / "command.py"
    path.write_text(text)
    return (sys.executable, "-I", str(path))


def book(
    *,
    given: Mapping[str, str] | None = None,
    files: Mapping[str, str] | None = None,
    commands: tuple[tuple[str, ...], ...] = (),
    environment: Mapping[str, str] | None = None,
    seconds: float = 20.0,
) -> HeaderSource:
    texts = files or {}

    def read_file(path: str) -> str:
        if path not in texts:
            raise FileNotFoundError(2, "No such file or directory")
        return texts[path]

    headers = tuple(Header(name, Secret(value)) for name, value in (given or {}).items())
    environment = environment or dict(os.environ)
    read = tuple(HeaderFile(one, read_header_file(one, environment, read_file)) for one in texts)
    return HeaderSource(HeaderSettings(headers, read, commands), environment, read_file, seconds)


def failure(headers: HeaderSource) -> UsageError:
    with pytest.raises(UsageError) as caught:
        run(headers.load())
    assert TOKEN not in caught.value.sentence()
    assert caught.value.hint
    return caught.value


def test_later_sources_win_and_ours_give_way(tmp_path: Path) -> None:
    headers = book(
        given={"Authorization": "Bearer given-1", "X-A": "given-2", "Accept": "text/plain"},
        files={"f": "# comment\n\nauthorization: Bearer ${NAME}\r\nX-B: file\n"},
        commands=(program(tmp_path, "print('x-b: command ${NAME}')"),),
        environment={**os.environ, "NAME": "from-environment"},
    )
    run(headers.load())
    assert headers.has_authorization
    merged = headers.merge([(b"accept", b"*/*"), (b"host", b"h")])
    assert merged == [
        (b"host", b"h"),
        (b"authorization", b"Bearer from-environment"),
        (b"X-A", b"given-2"),
        (b"Accept", b"text/plain"),
        (b"x-b", b"command ${NAME}"),  # what a command prints is final
    ]
    assert not book().has_authorization
    assert book().merge([(b"host", b"h")]) == [(b"host", b"h")]


@pytest.mark.promise("S2")
def test_every_value_read_is_known_to_the_log() -> None:
    run(book(files={"f": f"Authorization: Bearer {TOKEN}-first"}).load())
    assert scrub_known(f"said {TOKEN}-first") == "said ****"


@pytest.mark.promise("S2", "S4")
def test_command_runs_without_a_shell_and_without_our_stdio(tmp_path: Path) -> None:
    argv = program(
        tmp_path,
        "import sys; print('X-Argument:', sys.argv[1]); print('X-Stdin:', repr(sys.stdin.read()));"
        f"print('{TOKEN}', file=sys.stderr)",
    )
    headers = book(commands=((*argv, "$(touch pwned); `id` | cat > out"),))
    run(headers.load())
    assert headers.merge([]) == [
        (b"X-Argument", b"$(touch pwned); `id` | cat > out"),
        (b"X-Stdin", b"''"),
    ]


@pytest.mark.promise("S4")
@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"import sys; print('Authorization: {TOKEN}'); sys.exit(3)", "ended with status 3"),
        (f"print('{TOKEN}')", "line 1: A header does not contain a colon"),
        (f"print('X: a\\x07{TOKEN}')", "line 1: The value of the header X contains"),
    ],
)
def test_command_that_fails_is_told_without_what_it_printed(
    tmp_path: Path, text: str, words: str
) -> None:
    assert words in failure(book(commands=(program(tmp_path, text),))).cause


@pytest.mark.promise("S4", "P2")
@pytest.mark.parametrize("printed", [TOKEN, "Authorization: Bearer", "Authorization:", ""])
def test_command_that_prints_no_header_is_to_be_run_by_hand(tmp_path: Path, printed: str) -> None:
    """As a script does whose password manager is not in the host's PATH."""
    error = failure(book(commands=(program(tmp_path, f"print({printed!r})"),)))
    assert error.hint == (
        'Run it by hand: it must print a whole header, such as "Authorization: Bearer ..." with '
        "the token. It gets the few variables and the short PATH that the host hands on."
    )


@pytest.mark.promise("S4", "P2")
def test_command_that_is_not_a_program_yet(tmp_path: Path) -> None:
    path = tmp_path / "print-header"
    path.write_text("#!/bin/sh\necho 'X: y'\n")
    assert failure(book(commands=((str(path),),))).sentence() == (
        f"The header command {path} cannot be started: Permission denied. Make it a program: "
        f"chmod +x {path}"
    )


@pytest.mark.promise("S4")
def test_command_that_is_not_there() -> None:
    error = failure(book(commands=(("/nowhere/token-helper",),)))
    assert error.cause == (
        "The header command /nowhere/token-helper cannot be started: No such file or directory."
    )


@pytest.mark.promise("S4", "R7")
def test_command_that_does_not_end_is_killed(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    argv = program(
        tmp_path,
        f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(600)",
    )
    assert "did not end within 1 seconds" in failure(book(commands=(argv,), seconds=1.0)).cause
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


@pytest.mark.promise("R7")
def test_command_ends_with_whoever_waited_for_it(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    argv = program(
        tmp_path,
        f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(600)",
    )

    async def main() -> None:
        loading = asyncio.ensure_future(book(commands=(argv,)).load())
        await until(lambda: pid.exists() and bool(pid.read_text()))
        loading.cancel()
        await asyncio.gather(loading, return_exceptions=True)

    run(main())
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


@pytest.mark.promise("S4", "R7")
@pytest.mark.parametrize(
    ("rest", "seconds", "words"),
    [("time.sleep(600)", 1, "did not end within 1 seconds"), ("print('X' * 300000)", 20, "more")],
    ids=["does not end", "too long"],
)
def test_nothing_is_left_open_of_a_command_that_was_ended(
    tmp_path: Path, rest: str, seconds: float, words: str
) -> None:
    """Its child is in a session of its own, which is not killed: it holds the pipe."""
    pid = tmp_path / "pid"
    argv = program(
        tmp_path,
        "import subprocess, time\n"
        "agent = subprocess.Popen(['sleep', '60'], start_new_session=True)\n"
        f"open({str(pid)!r}, 'w').write(str(agent.pid))\n"
        f"{rest}\n",
    )

    async def main() -> None:
        before = len(os.listdir("/dev/fd"))
        with pytest.raises(UsageError, match=words):
            await book(commands=(argv,), seconds=seconds).load()
        assert len(os.listdir("/dev/fd")) == before

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            run(main())
            gc.collect()
    finally:
        os.kill(int(pid.read_text()), signal.SIGKILL)


@pytest.mark.promise("S4")
@pytest.mark.parametrize("text", ["", "\n\n", "# Authorization: x\n", "\ufeff", " \r\n\t\r\n"])
def test_source_without_a_header_is_an_error(tmp_path: Path, text: str) -> None:
    argv = program(tmp_path, f"import sys; sys.stdout.buffer.write({text.encode()!r})")
    assert "does not give a header: it " in failure(book(commands=(argv,))).cause


@pytest.mark.promise("S4")
def test_command_that_prints_for_ever_is_ended_with_its_children(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    argv = program(
        tmp_path,
        "import os, sys, time\n"
        "if os.fork():\n    time.sleep(600)\n"
        f"open({str(pid)!r}, 'w').write(str(os.getpid()))\n"
        "while True:\n    sys.stdout.write('X: y\\n' * 1000)\n",
    )
    assert f"prints more than {MAX_HEADERS_LENGTH} bytes" in failure(book(commands=(argv,))).cause
    wait_until(lambda: not is_running(int(pid.read_text())), "the end of the child")


@pytest.mark.promise("S4")
def test_what_a_command_that_ended_well_leaves_behind_lives_on(tmp_path: Path) -> None:
    """Credential helpers start agents that remember for them (git's cache does)."""
    pid = tmp_path / "pid"
    argv = program(
        tmp_path,
        "import subprocess, sys\n"
        "none = subprocess.DEVNULL\n"
        "agent = subprocess.Popen(['sleep', '60'], stdout=none, stderr=none)\n"
        f"open({str(pid)!r}, 'w').write(str(agent.pid))\n"
        f"print('X: {TOKEN}')\n",
    )
    run(book(commands=(argv,)).load())
    agent = int(pid.read_text())
    try:
        assert is_running(agent)
    finally:
        os.kill(agent, signal.SIGKILL)


@pytest.mark.promise("S4", "R5")
def test_header_that_has_moved_to_another_source_has_its_new_value() -> None:
    files = {"a": "Authorization: old-a\nX: 1\n", "b": "Authorization: old-b\nY: 2\n"}
    headers = book(files=files)

    async def reloaded(a: str, b: str) -> bytes:
        files.update(a=a, b=b)
        await headers.reload(headers.version)
        return dict(headers.merge([]))[b"Authorization"]

    async def main() -> None:
        await headers.load()
        # Nobody gives a new one: what held goes on to hold, whatever stood behind it.
        assert await reloaded("Authorization: old-a\n", "Y: 2\n") == b"old-b"
        assert await reloaded("Authorization: new-a\n", "Y: 2\n") == b"new-a"
        assert await reloaded("X: 1\n", "Y: 2\n") == b"new-a"
        assert await reloaded("X: 1\n", "Authorization: new-b\n") == b"new-b"
        assert await reloaded("Authorization: last-a\n", "Y: 2\n") == b"last-a"

    run(main())


@pytest.mark.promise("S4", "R5")
def test_what_a_reload_does_not_give_any_more_keeps_its_last_value(tmp_path: Path) -> None:
    files = {"f": f"Authorization: Bearer {TOKEN}-1\nX-A: {TOKEN}-a1\n"}
    count = tmp_path / "count"
    count.write_text("")
    argv = program(
        tmp_path,
        f"file = open({str(count)!r}, 'r+'); n = len(file.read()); file.write('x'); file.close()\n"
        "print(['X-C: c-value-1', '', 'X-D: d-value-1', 'X-C: c-value-2'][n])",
    )
    headers = book(files=files, commands=(argv,))

    def pairs() -> dict[bytes, bytes]:
        return dict(headers.merge([]))

    async def main() -> None:
        await headers.load()
        before = pairs()
        files["f"] = ""
        assert not await headers.reload(headers.version)  # neither has anything
        assert pairs() == before
        files["f"] = f"X-A: {TOKEN}-a2\n"
        assert await headers.reload(headers.version)
        assert headers.has_authorization
        assert pairs() == before | {b"X-A": f"{TOKEN}-a2".encode(), b"X-D": b"d-value-1"}
        files["f"] = f"Authorization: Bearer {TOKEN}-2"
        assert await headers.reload(headers.version)
        assert pairs()[b"Authorization"] == f"Bearer {TOKEN}-2".encode()
        assert pairs()[b"X-C"] == b"c-value-2"

    run(main())


@pytest.mark.promise("R5")
def test_one_source_that_fails_keeps_no_other_from_being_read(tmp_path: Path) -> None:
    files = {"a": "X-A: value-a1\n", "b": "X-B: value-b1\n"}
    headers = book(files=files)

    async def main() -> None:
        await headers.load()
        del files["a"]
        files["b"] = "X-B: value-b2\n"
        assert await headers.reload(headers.version)
        assert headers.merge([]) == [(b"X-A", b"value-a1"), (b"X-B", b"value-b2")]

    run(main())


@pytest.mark.promise("R5")
def test_many_who_were_refused_read_once(tmp_path: Path) -> None:
    count = tmp_path / "count"
    count.write_text("")
    argv = program(
        tmp_path,
        f"import os; file = open({str(count)!r}, 'a'); file.write('x'); file.close();"
        f"print('Authorization: {TOKEN}' + str(os.stat({str(count)!r}).st_size))",
    )
    headers = book(commands=(argv,))

    async def main() -> None:
        await headers.load()
        version = headers.version
        assert await asyncio.gather(*(headers.reload(version) for _ in range(5))) == [True] * 5
        assert await headers.reload(version)  # told later, refused with the same value
        assert count.read_text() == "xx"
        assert await headers.reload(headers.version)
        assert count.read_text() == "xxx"

    run(main())


@pytest.mark.promise("L5")
def test_nothing_is_read_again_where_nothing_can_change() -> None:
    async def main() -> None:
        headers = book(given={"X": "never-read-again"})
        await headers.load()
        assert not await headers.reload(headers.version)
        same = book(files={"f": "X: the-same-one"})
        await same.load()
        assert not await same.reload(same.version)

    run(main())
