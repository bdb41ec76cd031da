"""Openers are real programs in folders of the test: what they got is what a desktop would get.

Nothing of the machine the tests run on is started: every lookup goes to a root of the test's own.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_remote_py.errors import McpRemoteError
from mcp_remote_py.signin.browser import (
    MAX_URL_LENGTH,
    check_url,
    complete_desktop,
    detect_platform,
    open_browser,
    start_detached,
)
from tests.fakes import run, until

URL = "https://auth.example.com/authorize?client_id=c&state=canary&scope=a%20b"
DISPLAY = {"DISPLAY": ":7"}

OPENER = """#!{python} -IS
import json, os, signal, sys
null = os.stat(os.devnull)
record = {{
    "pid": os.getpid(),
    "words": [os.path.basename(sys.argv[0]), *sys.argv[1:]],
    "environment": dict(os.environ),
    "null": [os.path.samestat(os.fstat(number), null) for number in (0, 1, 2)],
    "leads": os.getsid(0) == os.getpid(),
}}
with open({log!r}, "a") as log:
    log.write(json.dumps(record) + "\\n")
if {status!r} == "hang":
    signal.pause()
sys.exit({status!r})
"""


class Desktop:
    """A machine with the openers a test puts on it; they write down how they were started."""

    def __init__(self, folder: Path) -> None:
        self.root = folder
        self.path = folder / "path"
        self._log = folder / "log"

    def install(self, name: str, status: int | str = 0, folder: str = "path") -> str:
        """A program that ends with this status, or stays ("hang"); its path."""
        program = self.root / folder / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(OPENER.format(python=sys.executable, log=str(self._log), status=status))
        program.chmod(0o755)
        return str(program)

    @property
    def records(self) -> list[dict[str, Any]]:
        if not self._log.exists():
            return []
        return [json.loads(line) for line in self._log.read_text().splitlines()]

    @property
    def started(self) -> list[list[str]]:
        """The words of every opener that was started, in order."""
        return [record["words"] for record in self.records]

    def open(
        self,
        environment: Mapping[str, str] | None = None,
        platform: str = "linux",
        command: tuple[str, ...] | None = None,
        url: str = URL,
    ) -> bool:
        variables = {"PATH": str(self.path), **(environment or {})}
        return run(open_browser(url, variables, platform, command, root=self.root))


@pytest.fixture
def desktop(tmp_path: Path) -> Desktop:
    return Desktop(tmp_path)


# Which opener


def test_the_desktop_s_opener_gets_the_url(desktop: Desktop) -> None:
    desktop.install("xdg-open")
    assert desktop.open(DISPLAY)
    assert desktop.started == [["xdg-open", URL]]


@pytest.mark.parametrize("status", [1, 3, 4])
def test_an_opener_that_fails_at_once_is_followed_by_the_next(
    desktop: Desktop, status: int
) -> None:
    desktop.install("xdg-open", status)
    desktop.install("gio")
    assert desktop.open(DISPLAY)
    assert desktop.started == [["xdg-open", URL], ["gio", "open", URL]]


def test_it_is_said_when_every_opener_failed(desktop: Desktop) -> None:
    desktop.install("xdg-open", 3)
    desktop.install("gio", 2)
    assert not desktop.open(DISPLAY)
    assert len(desktop.started) == 2


def test_a_missing_opener_is_said(desktop: Desktop) -> None:
    assert not desktop.open(DISPLAY)


def test_a_program_that_cannot_be_started_is_passed_over(desktop: Desktop) -> None:
    Path(desktop.install("xdg-open")).write_text("#!/no/such/interpreter\n")
    desktop.install("gio")
    assert desktop.open(DISPLAY)
    assert desktop.started == [["gio", "open", URL]]


@pytest.mark.parametrize("folder", ["usr/local/bin", "usr/bin", "bin"])
def test_a_host_without_path_does_not_hide_the_opener(desktop: Desktop, folder: str) -> None:
    desktop.install("xdg-open", folder=folder)
    assert desktop.open({**DISPLAY, "PATH": ""})
    assert desktop.started == [["xdg-open", URL]]


@pytest.mark.parametrize("variable", ["DISPLAY", "WAYLAND_DISPLAY"])
def test_without_a_display_no_opener_is_started(desktop: Desktop, variable: str) -> None:
    """It would start a browser for terminals, on the null device, and call that a success."""
    desktop.install("xdg-open")
    assert not desktop.open({"TERM": "xterm"})
    assert desktop.started == []
    assert desktop.open({variable: "0"})
    assert len(desktop.started) == 1


@pytest.mark.parametrize(
    ("variable", "words"),
    [
        ("browser", ["browser", URL]),
        ("browser --new-window", ["browser", "--new-window", URL]),
        (
            "browser --profile 'My Work' %s --last",
            ["browser", "--profile", "My Work", URL, "--last"],
        ),
        ("browser --app=%s", ["browser", f"--app={URL}"]),
        ("missing:browser", ["browser", URL]),
        ("'unbalanced:browser", ["browser", URL]),
        ("::browser", ["browser", URL]),
    ],
)
def test_the_variable_browser_comes_before_the_desktop(
    desktop: Desktop, variable: str, words: list[str]
) -> None:
    """Field note 17: else the person may be signed in as someone else."""
    desktop.install("xdg-open")
    desktop.install("browser")
    assert desktop.open({**DISPLAY, "BROWSER": variable})
    assert desktop.started == [words]


def test_of_several_browsers_the_first_that_works_is_taken(desktop: Desktop) -> None:
    broken, good = desktop.install("broken", 1), desktop.install("good")
    assert desktop.open({"BROWSER": f"{broken}:{good} -x:{broken}"})
    assert desktop.started == [["broken", URL], ["good", "-x", URL]]


@pytest.mark.parametrize("variable", ["none", "broken", "missing %s:broken", "'"])
def test_a_browser_the_person_named_is_not_replaced_by_another(
    desktop: Desktop, variable: str
) -> None:
    desktop.install("xdg-open")
    desktop.install("broken", 1)
    assert not desktop.open({**DISPLAY, "BROWSER": variable})
    assert ["xdg-open", URL] not in desktop.started


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), [URL]),
        (("-P", "work"), ["-P", "work", URL]),
        (("--app=%s", "-x"), [f"--app={URL}", "-x"]),
    ],
)
def test_the_person_s_own_command_comes_first(
    desktop: Desktop, options: tuple[str, ...], words: list[str]
) -> None:
    desktop.install("xdg-open")
    command = desktop.install("my browser")
    assert desktop.open({**DISPLAY, "BROWSER": "xdg-open"}, command=(command, *options))
    assert desktop.started == [["my browser", *words]]


def test_an_empty_command_opens_nothing(desktop: Desktop) -> None:
    desktop.install("xdg-open")
    assert not desktop.open({**DISPLAY, "BROWSER": "xdg-open"}, command=())
    assert desktop.started == []


def test_a_command_that_fails_is_said_and_not_replaced(desktop: Desktop) -> None:
    desktop.install("xdg-open")
    assert not desktop.open(DISPLAY, command=("missing",))
    assert desktop.started == []


def test_on_macos_open_is_asked(desktop: Desktop) -> None:
    desktop.install("open", folder="usr/bin")
    desktop.install("xdg-open")
    assert desktop.open(platform="darwin")
    assert desktop.started == [["open", URL]]


def test_on_macos_nothing_else_is_tried(desktop: Desktop) -> None:
    desktop.install("open", 1)
    desktop.install("xdg-open")
    assert not desktop.open(DISPLAY, platform="darwin")
    assert desktop.started == [["open", URL]]


def test_in_wsl_the_browser_of_windows_is_asked(desktop: Desktop) -> None:
    """Field note 11: not one of the Linux side, where the person is not signed in."""
    desktop.install("wslview")
    desktop.install("xdg-open")
    assert desktop.open(DISPLAY, platform="wsl")
    assert desktop.started == [["wslview", URL]]


def test_in_wsl_without_wslview_windows_itself_is_asked(desktop: Desktop) -> None:
    desktop.install("rundll32.exe", folder="mnt/c/Windows/System32")
    assert desktop.open(platform="wsl")
    assert desktop.started == [["rundll32.exe", "url.dll,FileProtocolHandler", URL]]


def test_in_wsl_without_any_way_to_windows_the_desktop_is_asked(desktop: Desktop) -> None:
    desktop.install("xdg-open")
    assert desktop.open(DISPLAY, platform="wsl")
    assert desktop.started == [["xdg-open", URL]]


def test_in_wsl_without_anything_it_is_said(desktop: Desktop) -> None:
    assert not desktop.open(platform="wsl")


def test_on_windows_the_shell_s_own_call_gets_the_url() -> None:
    opened: list[str] = []
    assert run(open_browser(URL, {}, "win32", startfile=opened.append))
    assert opened == [URL]


def test_on_windows_a_failure_is_said() -> None:
    def fail(url: str) -> None:
        raise OSError("no program is associated with this")

    assert not run(open_browser(URL, {}, "win32", startfile=fail))


def test_the_call_of_windows_fails_elsewhere() -> None:
    assert sys.platform != "win32"
    assert not run(open_browser(URL, {}, "win32"))


def test_on_windows_the_person_s_browser_comes_first() -> None:
    started: list[Sequence[str]] = []

    async def start(words: Sequence[str], environment: Mapping[str, str]) -> bool:
        started.append(words[1:])
        return True

    opened: list[str] = []
    for name in (f'missing;"{sys.executable}" --x', sys.executable):
        variables = {"BROWSER": name}
        assert run(open_browser(URL, variables, "win32", start=start, startfile=opened.append))
    command = (sys.executable, "-P", "w")
    assert run(open_browser(URL, {}, "win32", command, start, opened.append))
    assert started == [("--x", URL), (URL,), ("-P", "w", URL)]
    assert opened == []


@pytest.mark.parametrize(
    ("platform", "release", "environment", "detected"),
    [
        ("linux", "6.1.0-18-amd64", {}, "linux"),
        ("linux", "5.15.153.1-microsoft-standard-WSL2", {}, "wsl"),
        ("linux", "4.4.0-19041-Microsoft", {}, "wsl"),
        ("linux", "6.6.0-custom", {"WSL_DISTRO_NAME": "Ubuntu"}, "wsl"),
        ("darwin", "24.1.0", {}, "darwin"),
        ("win32", "11", {"WSL_DISTRO_NAME": "Ubuntu"}, "win32"),
    ],
)
def test_wsl_is_told_from_linux(
    platform: str, release: str, environment: dict[str, str], detected: str
) -> None:
    asked: list[str] = []

    def tell() -> str:
        asked.append(release)
        return release

    assert detect_platform(platform, tell, environment) == detected
    assert not asked or platform == "linux"  # Windows may take seconds to tell


# How it is started


@pytest.mark.promise("S1")
def test_an_opener_has_neither_our_stdio_nor_our_session(desktop: Desktop) -> None:
    desktop.install("xdg-open")
    assert desktop.open({**DISPLAY, "LANG": "de_DE.UTF-8"})
    (record,) = desktop.records
    assert record["null"] == [True, True, True]
    assert record["leads"]
    assert record["environment"]["LANG"] == "de_DE.UTF-8"
    assert record["environment"]["DISPLAY"] == ":7"


@pytest.mark.promise("S2")
def test_the_log_names_the_opener_but_not_the_url(
    desktop: Desktop, caplog: pytest.LogCaptureFixture
) -> None:
    desktop.install("xdg-open", 3)
    desktop.install("gio")
    with caplog.at_level(logging.DEBUG, "mcp_remote_py"):
        assert desktop.open(DISPLAY)
    assert [record.message for record in caplog.records if record.name.startswith("mcp")] == [
        "xdg-open did not open the browser",
        "The browser was opened by gio",
    ]


@pytest.mark.promise("S1")
def test_a_browser_that_stays_counts_holds_up_no_one_and_outlives_us(desktop: Desktop) -> None:
    desktop.install("xdg-open", "hang")
    desktop.install("gio")
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0.01)
            turns += 1

    async def main() -> bool:
        counting = asyncio.create_task(count())
        variables = {"PATH": str(desktop.path), **DISPLAY}
        opened = await open_browser(URL, variables, "linux", root=desktop.root)
        counting.cancel()
        return opened

    assert run(main())
    (record,) = desktop.records
    assert turns >= 10
    os.kill(record["pid"], signal.SIGKILL)  # raises if it did not outlive the loop
    run(until(lambda: not Path(f"/proc/{record['pid']}").exists()))


def test_a_word_no_program_can_get_is_a_failure() -> None:
    assert not run(start_detached((sys.executable, "\0"), {}))


# Which URL

HOSTILE = [
    "",
    "auth.example.com",
    "-https://auth.example.com/",
    "--help",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "data:text/html,x",
    "ms-settings:display",
    "http://auth.example.com/",
    "http://127.0.0.1.evil.example/",
    "ftp://auth.example.com/",
    "https:auth.example.com",
    "https:///path",
    "https://",
    "https://?x",
    "https://user:password@auth.example.com/",
    "https://auth.example.com:0/",
    "https://auth.example.com:99999/",
    "https://$(id)/",
    "https://auth.example.com/`id`",
    "https://auth.example.com/a b",
    'https://auth.example.com/"&calc&"',
    "https://auth.example.com/<x>",
    "https://auth.example.com/a\\b",
    "https://auth.example.com/a|b",
    "https://auth.example.com/^a",
    "https://auth.example.com/{a}",
    "https://auth.example.com/\r\nX: y",
    "https://auth.example.com/\n",
    "https://auth.example.com/\0",
    "https://auth.example.com/\x1b[0m",
    "https://auth.example.com/ü",
    "\thttps://auth.example.com/",
    "https://auth.example.com/" + "a" * MAX_URL_LENGTH,
]


@pytest.mark.promise("S1")
@pytest.mark.parametrize("url", HOSTILE)
def test_a_hostile_url_starts_nothing(desktop: Desktop, url: str) -> None:
    for name in ("xdg-open", "gio", "mine"):
        desktop.install(name)
    opened: list[str] = []
    for platform, command in (("linux", None), ("darwin", None), ("linux", ("mine",))):
        with pytest.raises(McpRemoteError):
            desktop.open(DISPLAY, platform, command, url)
    with pytest.raises(McpRemoteError):
        run(open_browser(url, {}, "win32", startfile=opened.append))
    assert desktop.started == []
    assert opened == []


@pytest.mark.promise("P2")
def test_a_url_that_is_too_long_is_told_to_be_so() -> None:
    """It has the scopes that a server wants, as a rule: thousands of them, in one that was met."""
    with pytest.raises(McpRemoteError) as raised:
        check_url("https://auth.example.com/?scope=" + "a" * MAX_URL_LENGTH)
    assert raised.value.sentence() == (
        "The server's sign-in address was not opened: it is too long "
        f"({MAX_URL_LENGTH + 32} characters, {MAX_URL_LENGTH} at most). "
        "Ask for fewer scopes with --scope."
    )


@pytest.mark.promise("S1")
@pytest.mark.parametrize(
    ("url", "begin"),
    [
        ("javascript:alert('canary')", "it begins with javascript:, 26 characters"),
        ("https://auth.example.com/?canary\n", "it begins with https:, 33 characters"),
        ("\x1b[0m canary", "it does not begin with a scheme, 11 characters"),
    ],
)
def test_a_refused_url_is_told_without_what_is_in_it(url: str, begin: str) -> None:
    with pytest.raises(McpRemoteError) as raised:
        check_url(url)
    assert raised.value.sentence() == (
        f"The server's sign-in address was not opened: it is not a plain https URL ({begin}). Tell "
        "whoever runs the server: its authorization endpoint must be an https URL."
    )


@pytest.mark.promise("S1")
@pytest.mark.parametrize(
    "url",
    [
        URL,
        "HTTPS://Auth.Example.com:8443",
        "http://localhost:8789/authorize?a=b&c=d",
        "http://127.0.0.1:3401/~me/@x:y,z+w",
        "http://[::1]:80/",
        "https://auth.example.com/a%24%28id%29?x=%0A#fragment",
    ],
)
def test_a_good_url_stays_as_it_is(url: str) -> None:
    assert check_url(url) == url


@pytest.mark.promise("S1")
def test_what_a_shell_would_understand_is_percent_encoded(desktop: Desktop) -> None:
    desktop.install("xdg-open")
    assert desktop.open(DISPLAY, url="https://auth.example.com/$(id)?a='b';c*!&d=e")
    assert desktop.started == [
        ["xdg-open", "https://auth.example.com/%24%28id%29?a=%27b%27%3Bc%2A%21&d=e"]
    ]


@pytest.mark.promise("S1")
@given(st.text() | st.text().map("https://a.example/".__add__))
def test_whatever_is_let_through_is_harmless(url: str) -> None:
    try:
        checked = check_url(url)
    except McpRemoteError:
        return
    assert checked.lower().startswith(("https://", "http://"))
    assert checked.isascii()
    assert checked.isprintable()
    assert not set(checked) & set(" $`'\"\\<>|;(){}^!*")


# The desktop behind a host that passes nothing on


def socket_at(path: Path) -> socket.socket:
    path.parent.mkdir(parents=True, exist_ok=True)
    made = socket.socket(socket.AF_UNIX)
    # By a short name: addresses of sockets end at 108 bytes, and folders of tests are long.
    before = Path.cwd()
    os.chdir(path.parent)
    try:
        made.bind(path.name)
    finally:
        os.chdir(before)
    return made


def test_the_display_is_found_where_the_host_left_it_out(tmp_path: Path) -> None:
    user = os.getuid()
    runtime = tmp_path / f"run/user/{user}"
    with (
        socket_at(runtime / "bus"),
        socket_at(runtime / "wayland-0"),
        socket_at(tmp_path / "tmp/.X11-unix/X1"),
        socket_at(tmp_path / "tmp/.X11-unix/X2"),
    ):
        (runtime / "wayland-0.lock").touch()
        (tmp_path / "tmp/.X11-unix/X0").touch()
        assert complete_desktop({"HOME": "/home/me"}, tmp_path) == {
            "HOME": "/home/me",
            "XDG_RUNTIME_DIR": str(runtime),
            "DBUS_SESSION_BUS_ADDRESS": f"unix:path={runtime}/bus",
            "WAYLAND_DISPLAY": "wayland-0",
            "DISPLAY": ":1",
        }


@pytest.mark.promise("S1")
def test_the_display_of_someone_else_is_left_alone(tmp_path: Path) -> None:
    someone_else = os.getuid() + 1
    with (
        socket_at(tmp_path / f"run/user/{someone_else}/wayland-0"),
        socket_at(tmp_path / "tmp/.X11-unix/X0"),
    ):
        assert complete_desktop({}, tmp_path, someone_else) == {}


@pytest.mark.parametrize(
    "environment",
    [
        {"DISPLAY": ":7"},
        {"WAYLAND_DISPLAY": "wayland-7"},
        {"SSH_CONNECTION": "192.0.2.1 50000 192.0.2.2 22"},
        {"SSH_TTY": "/dev/pts/0"},
    ],
)
def test_what_is_set_stays_and_a_remote_person_gets_no_display(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    with socket_at(tmp_path / "tmp/.X11-unix/X0"):
        assert complete_desktop(environment, tmp_path) == environment


def test_a_runtime_folder_of_its_own_is_looked_into(tmp_path: Path) -> None:
    with socket_at(tmp_path / "own/wayland-1"):
        given = {"XDG_RUNTIME_DIR": str(tmp_path / "own")}
        assert complete_desktop(given, tmp_path) == {**given, "WAYLAND_DISPLAY": "wayland-1"}


def test_an_opener_of_a_bare_host_gets_the_display(desktop: Desktop) -> None:
    desktop.install("xdg-open")
    with socket_at(desktop.root / "tmp/.X11-unix/X3"):
        assert desktop.open({})
    assert desktop.records[0]["environment"]["DISPLAY"] == ":3"


# Openers that evaluate

EVALUATING = {
    # As scripts do it that build a command line for a shell.
    "eval": 'eval "recorder $1"',
    "sh -c": 'sh -c "recorder $1"',
    "bash -c": 'bash -c "recorder $1"',
    "in the middle": 'sh -c "recorder $1; exit 0"',
    "in quotes": """sh -c "recorder \\"$1\\" '$1'" """,
}

COMMANDS = (
    "pwned", "{bin}/pwned", "pwned=1", "{bin}/pwned=1", "./pwned", "=pwned", "$(pwned)", "$(pwned",
    "${{IFS}}pwned", "$((1))", "$'pwned'", "'pwned'", "(pwned)", "*", "!pwned", "PATH={bin}",
    "%70wned", "%PATH%", "1=pwned", ".{bin}/pwned", "~", "-pwned", "pwned;pwned", ";pwned;",
    "&pwned", "&&pwned", "pwned&", "a=b&pwned", "a=;pwned", "a=$(pwned)", "#pwned",
    "a&pwned#&pwned", "@pwned", "+pwned", "_pwned", "pwned,pwned", "[pwned]", "pw?ed",
    "{bin}/pw?ed",
)  # fmt: skip
PLACES = (
    "https://auth.example.com/a&{}",
    "https://auth.example.com/{}",
    "https://auth.example.com/a?{}",
    "https://auth.example.com/a?x=1&{}",
    "https://auth.example.com/a?x=1&{}&client_id=c",
    "https://auth.example.com/a?x=1&{}&{}",
    "https://auth.example.com/a?x=1#&{}",
)


@pytest.mark.promise("S1")
@pytest.mark.report("S16")
@pytest.mark.parametrize("how", EVALUATING)
def test_nothing_runs_whatever_an_opener_does_with_the_url(tmp_path: Path, how: str) -> None:
    """What could be run writes down that it was; all spellings in one shell, for speed."""
    folder = tmp_path / "bin"
    folder.mkdir()
    names = ("pwned", "pwned=1", "=pwned", "-pwned", "+pwned", "@pwned", "_pwned", "1=pwned")
    for name in (*names, "[pwned]", "pwned,pwned", ".pwned"):
        program = folder / name
        program.write_text(f"#!/bin/sh\necho $0 >> {tmp_path}/ran\n")
        program.chmod(0o755)
    (folder / "recorder").write_text(f'#!/bin/sh\necho "$1" >> {tmp_path}/opened\n')
    (folder / "recorder").chmod(0o755)
    opener = tmp_path / "opener"
    opener.write_text(f'#!/bin/sh\nfor url; do set -- "$url"; {EVALUATING[how]}; done\n')
    opener.chmod(0o755)

    def open_all(urls: Sequence[str]) -> None:
        """To the end of all that was started: it has the other end of the pipe."""
        subprocess.run(
            [str(opener), *urls],
            cwd=folder,
            env={"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=50,
            check=False,
        )

    urls = [place.format(*[one.format(bin=folder)] * 2) for place in PLACES for one in COMMANDS]
    checked: list[str] = []
    for url in urls:
        with contextlib.suppress(McpRemoteError):
            checked.append(check_url(url))
    assert len(checked) > 200
    open_all(checked)
    assert len((tmp_path / "opened").read_text().splitlines()) > len(checked) / 2
    assert not (tmp_path / "ran").exists()
    if how != "in quotes":
        open_all(["https://auth.example.com/a&pwned"])
        assert (tmp_path / "ran").exists()  # so this opener does run what it can


@pytest.mark.promise("S1")
@pytest.mark.report("S16")
@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=30))
def test_behind_each_ampersand_is_nothing_that_could_be_a_program(text: str) -> None:
    ours = "client_id|code_challenge|code_challenge_method|dpop_jkt|redirect_uri|resource"
    ours += "|response_type|scope|state"
    for platform in ("linux", "win32", "wsl"):
        try:
            url = check_url(f"https://auth.example.com/a?{text}&scope=a", platform)
        except McpRemoteError:
            continue
        for piece in re.split("[&#]", url.partition("?")[2])[1:]:
            variable = "[A-Za-z_][A-Za-z0-9_]*=" if platform == "linux" else f"({ours})="
            assert re.match(f"%|$|{variable}", piece) or f"#{piece}" in url, url
        assert "&" not in url.partition("?")[0]
        assert "&" not in url.partition("#")[2]


@pytest.mark.report("S16")
@pytest.mark.parametrize(
    ("platform", "url", "given_to_opener"),
    [
        ("linux", "/a&b?c=d&e=f", "/a%26b?c=d&e=f"),
        ("linux", "/a?c=d&reboot&e=f", "/a?c=d&%72eboot&e=f"),
        ("linux", "/a?x=%PATH%&y=100%", "/a?x=%25PATH%25&y=100%25"),
        ("win32", "/a?p=1&calc=1&scope=a", "/a?p=1&%63alc=1&scope=a"),
        ("wsl", "/a?p=1&client_idx=1&client_id=1", "/a?p=1&%63lient_idx=1&client_id=1"),
    ],
)
def test_url_means_the_same_as_before(platform: str, url: str, given_to_opener: str) -> None:
    origin = "https://auth.example.com"
    checked = check_url(f"{origin}{url}", platform)
    assert checked == f"{origin}{given_to_opener}"
    if "%" not in url:
        before, after = urlsplit(url), urlsplit(checked)
        assert unquote(after.path) == before.path
        assert parse_qsl(after.query, True) == parse_qsl(before.query, True)
