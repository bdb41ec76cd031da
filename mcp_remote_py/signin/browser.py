"""Opens one checked URL the way this person's desktop would, and says whether it did.

Never through a shell, never on our stdio: what is started gets the null device and a session of
its own (promise S1; CVE-2025-6514 was an authorization endpoint that a shell was given). But some
openers are scripts that hand the URL to a shell, or to cmd: so no character of it means anything
to one. Only `&` must stay, between two parameters: what follows it is not the name of a program.
What remains: a shell cuts the URL there, and cmd would put in the value of a variable whose name
begins with two hexadecimal digits, such as %CD%. Must not know what the URL is for.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import shlex
import shutil
import stat
import subprocess
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path

from mcp_remote_py.errors import McpRemoteError
from mcp_remote_py.process_groups import creation_flag
from mcp_remote_py.url import InvalidUrl, parse_url

logger = logging.getLogger("mcp_remote_py.signin")

QUICK_FAILURE_SECONDS = 1.0
"""An opener that fails does so at once; one still alive after this time is at work (xdg-open
stays as long as the browser it had to start)."""
MAX_URL_LENGTH = 16 * 1024
"""Characters. Real authorization URLs have 500 to 4,000; Windows ends a command line at 32,767."""

Environment = Mapping[str, str]
Start = Callable[[Sequence[str], Environment], Awaitable[bool]]
"""Starts this command in this environment, detached; whether it seems to have worked."""
StartFile = Callable[[str], None]
"""Hands a URL to Windows (`os.startfile`); raises OSError. May block."""
_ASK_USER: Callable[[], int] = getattr(os, "getuid", int)
"""Whose desktop it may be; asked in Linux only."""
_STARTFILE: StartFile | None = getattr(os, "startfile", None)
"""ShellExecute: with an https URL, the person's browser, and no shell."""

_URL = re.compile(r"https?://[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+", re.IGNORECASE)
"""The characters of RFC 3986; all others must be percent-encoded in a URL."""
_SHELL_CHARACTERS = re.compile(r"[!$'()*;]|%(?![0-9A-Fa-f]{2})")
"""Allowed in a URL, or left as it is by browsers, with a meaning for shells or cmd."""
_BEHIND_AMPERSAND = re.compile(r"&(?![A-Za-z_][A-Za-z0-9_]*=)([^%&])")
"""For shells, the beginning of another command, unless a variable is set there: nobody reads it."""
_BEHIND_AMPERSAND_IN_CMD = re.compile(
    r"&(?!(?:client_id|code_challenge|code_challenge_method|dpop_jkt|redirect_uri|resource"
    r"|response_type|scope|state)=)([^%&])"
)
"""For cmd, `calc=1` calls a program; none has the name of a parameter of ours."""
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,20}(?=:)")

_DESKTOP_OPENERS = (("xdg-open",), ("gio", "open"))
_WSL_OPENERS = (("wslview",), ("rundll32.exe", "url.dll,FileProtocolHandler"))
"""In WSL the person's browser is that of Windows; both pass the URL on without a shell."""
_SYSTEM_FOLDERS = ("usr/local/bin", "usr/bin", "bin", "mnt/c/Windows/System32")
"""Searched after PATH: hosts start us with a short one, or none."""
FILE_SYSTEM = Path("/")


def check_url(url: str, platform: str = "") -> str:
    """`url` as it may be given to an opener: https, or http to this machine.

    Characters with a meaning for shells, and for what Windows has, are percent-encoded.

    Raises:
        McpRemoteError: it must not be opened.
    """
    if len(url) > MAX_URL_LENGTH:
        raise McpRemoteError(
            f"The server's sign-in address was not opened: it is too long ({len(url)} characters, "
            f"{MAX_URL_LENGTH} at most).",
            hint="Ask for fewer scopes with --scope.",
        )
    if _URL.fullmatch(url):
        try:
            is_good = parse_url(url).is_protected  # host, port, no user info
        except InvalidUrl:
            is_good = False
        if is_good:
            has_cmd = platform in ("win32", "wsl")
            return _disarm(url, _BEHIND_AMPERSAND_IN_CMD if has_cmd else _BEHIND_AMPERSAND)
    scheme = _SCHEME.match(url)
    begin = f"it begins with {scheme[0]}:" if scheme else "it does not begin with a scheme"
    raise McpRemoteError(
        f"The server's sign-in address was not opened: it is not a plain https URL ({begin}, "
        f"{len(url)} characters).",
        hint="Tell whoever runs the server: its authorization endpoint must be an https URL.",
    )


def _disarm(url: str, behind_ampersand: re.Pattern[str]) -> str:
    """The same URL, without what shells act on; see the beginning of this file."""
    url = _SHELL_CHARACTERS.sub(lambda match: _encode(match[0]), url)
    rest, hash_sign, fragment = url.partition("#")
    place, question, query = rest.partition("?")
    query = behind_ampersand.sub(lambda match: f"&{_encode(match[1])}", query)
    place, fragment = (part.replace("&", "%26") for part in (place, fragment))
    return f"{place}{question}{query}{hash_sign}{fragment}"


def _encode(character: str) -> str:
    return f"%{ord(character):02X}"


async def open_browser(
    url: str,
    environment: Environment,
    platform: str,
    command: tuple[str, ...] | None = None,
    start: Start | None = None,
    startfile: StartFile | None = None,
    root: Path = FILE_SYSTEM,
) -> bool:
    """Whether something was started that should show `url`; at most a few seconds.

    `command` is the person's own (an empty one opens nothing), `platform` as from
    `detect_platform`, `root` where the machine's own folders lie. What the person names, by
    `command` or `$BROWSER`, is all that is tried: the desktop's browser may be signed in as
    someone else (field note 17).

    Raises:
        McpRemoteError: `url` must not be opened.
    """
    url = check_url(url, platform)
    if command is None and platform == "win32" and not environment.get("BROWSER"):
        return await _start_file(url, startfile or _STARTFILE)
    start = start or start_detached
    if platform in ("linux", "wsl"):
        environment = complete_desktop(environment, root)
    for candidate in _candidates(url, environment, platform, command):
        found = _find(candidate[0], environment, root)
        if found is None:
            continue
        if await start((found, *candidate[1:]), environment):
            logger.debug("The browser was opened by %s", candidate[0])
            return True
        logger.debug("%s did not open the browser", candidate[0])
    return False


def detect_platform(platform: str, release: Callable[[], str], environment: Environment) -> str:
    """`platform` (of `sys`), or "wsl" where Linux runs inside Windows.

    `release` tells that of the kernel, which names Microsoft even where hosts keep WSL's variables
    from us. It is asked on Linux only: Windows may take many seconds to tell its own (WMI).
    """
    if platform != "linux":
        return platform
    is_wsl = bool(environment.get("WSL_DISTRO_NAME")) or "microsoft" in release().lower()
    return "wsl" if is_wsl else platform


def _candidates(
    url: str, environment: Environment, platform: str, command: tuple[str, ...] | None
) -> Iterator[tuple[str, ...]]:
    """Commands to try in their order, with the URL in them."""
    if command is not None:
        if command:
            yield _with_url(command, url)
        return
    named = environment.get("BROWSER", "")
    if named:
        for entry in named.split(";" if platform == "win32" else ":"):
            words = _split(entry, platform)
            if words:
                yield _with_url(words, url)
        return
    if platform == "darwin":
        yield ("open", url)
        return
    if platform == "wsl":
        yield from (_with_url(opener, url) for opener in _WSL_OPENERS)
    if environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"):
        # Without a display they would start a browser for terminals, on the null device.
        yield from (_with_url(opener, url) for opener in _DESKTOP_OPENERS)


def _split(entry: str, platform: str) -> tuple[str, ...]:
    try:
        words = shlex.split(entry, posix=platform != "win32")
    except ValueError:  # a quotation mark without its partner
        return ()
    return tuple(word.strip('"') for word in words)


def _with_url(words: Sequence[str], url: str) -> tuple[str, ...]:
    """`words` with the URL in place of `%s`, else behind them."""
    first, *rest = words
    if any("%s" in word for word in rest):
        return (first, *(word.replace("%s", url) for word in rest))
    return (first, *rest, url)


def _find(name: str, environment: Environment, root: Path) -> str | None:
    places = (environment.get("PATH", ""), *(str(root / folder) for folder in _SYSTEM_FOLDERS))
    return shutil.which(name, path=os.pathsep.join(filter(None, places)))


# The desktop --------------------------------------------------------------------------------


def complete_desktop(
    environment: Environment, root: Path = FILE_SYSTEM, user: int | None = None
) -> dict[str, str]:
    """`environment` with the way to the person's desktop in it, where the host left that out.

    Hosts built on the official SDKs pass on HOME, PATH, SHELL, TERM and USER only; the desktop of
    the same user is then found by its sockets. What is set stays.
    """
    completed = dict(environment)
    if user is None:
        user = _ASK_USER()
    runtime = Path(environment.get("XDG_RUNTIME_DIR") or root / f"run/user/{user}")
    if _is_socket_of(runtime / "bus", user):
        completed.setdefault("XDG_RUNTIME_DIR", str(runtime))
        completed.setdefault("DBUS_SESSION_BUS_ADDRESS", f"unix:path={runtime}/bus")
    remote = environment.get("SSH_CONNECTION") or environment.get("SSH_TTY")
    if environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY") or remote:
        return completed
    wayland = _first_socket(runtime, "wayland-*", user)
    if wayland is not None:
        completed["XDG_RUNTIME_DIR"] = str(runtime)
        completed["WAYLAND_DISPLAY"] = wayland.name
    screen = _first_socket(root / "tmp/.X11-unix", "X*", user)
    if screen is not None:
        completed["DISPLAY"] = f":{screen.name[1:]}"
    return completed


def _first_socket(folder: Path, pattern: str, user: int) -> Path | None:
    return next((path for path in sorted(folder.glob(pattern)) if _is_socket_of(path, user)), None)


def _is_socket_of(path: Path, user: int) -> bool:
    """Someone else's display is not a place to show this person's sign-in."""
    try:
        status = path.stat()
    except OSError:
        return False
    return stat.S_ISSOCK(status.st_mode) and status.st_uid == user


# Starting -----------------------------------------------------------------------------------


async def start_detached(words: Sequence[str], environment: Environment) -> bool:
    """Starts the command in a session of its own; whether it did not fail at once."""
    try:
        process = await asyncio.to_thread(_spawn, words, environment)
    except (OSError, ValueError):  # ValueError: a NUL in a word
        return False
    # Not asyncio's own subprocess: that one is killed when the loop ends, a browser must live on.
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[int] = loop.create_future()

    def reap() -> None:
        status = process.wait()
        with contextlib.suppress(RuntimeError):  # our loop is closed: no one asks any more
            loop.call_soon_threadsafe(ended.set_result, status)

    threading.Thread(target=reap, name="browser", daemon=True).start()
    await asyncio.wait({ended}, timeout=QUICK_FAILURE_SECONDS)
    return not ended.done() or ended.result() == 0


_DETACHED = creation_flag("DETACHED_PROCESS", subprocess)
"""A flag of Windows: without our console. Elsewhere a new session does it."""


def _spawn(words: Sequence[str], environment: Environment) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - a list, no shell; the URL went through `check_url`
        words,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        creationflags=_DETACHED,
    )


async def _start_file(url: str, startfile: StartFile | None) -> bool:
    if startfile is None:
        return False
    try:
        await asyncio.to_thread(startfile, url)
    except OSError as error:
        logger.debug("Windows did not open the browser: %s", type(error).__name__)
        return False
    return True
