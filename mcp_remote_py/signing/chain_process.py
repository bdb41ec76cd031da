"""Looks for AWS keys with botocore's own chain, in a process of its own.

botocore costs a third of a second and 20 MB, and what it starts or waits for may hang: neither is
the relay's. So this process is started for each search and ends with it; nothing in it is ever
old. It gets its order on stdin and answers on stdout, and then both are the null device: a
`credential_process` never holds the host's pipe. It ends itself, with all it has started, when it
takes too long and when whoever started it is gone. Must not know who asks, nor what for.
"""

from __future__ import annotations

import difflib
import getpass
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, MutableMapping
from importlib import import_module
from typing import Any, NoReturn

import msgspec

from mcp_remote_py.redact import Secret
from mcp_remote_py.signing.aws_files import MAX_FILES, home_folder, key_files
from mcp_remote_py.signing.chain_answer import (
    ChainAnswer,
    ChainFault,
    ChainOrder,
    decode_order,
    encode_line,
)
from mcp_remote_py.signing.chain_faults import MfaAsked, Sight, read_fault, read_hang

FAREWELL = 1.5
"""Seconds for what is under way when whoever asked is gone: AWS gives a renewed SSO token once, and
it has to be written down."""

CONNECT_SECONDS = 8
"""Seconds for a connection to AWS."""

READ_SECONDS = 12
"""Seconds for its answer."""

AWS_ATTEMPTS = 2
"""Times that AWS is asked: all of them are over before anybody's patience is."""

SESSION_NAME = "mcp-remote-py"
"""The name of a role's session where the profile has none. botocore would make a new one each time,
and a server that knows its callers by it would see a stranger each hour."""

MAX_ORDER = 64 * 1024
"""Bytes."""

MAX_SESSION = 64 * 1024
"""Bytes of a role session that AWS's command has kept."""

LONGEST_EXPIRY = 1 << 32
"""Seconds ahead of now that an expiry is looked for: 136 years."""

MAX_NAMED = 8
"""Profiles that are named to a person who has named none of them."""


# The search ---------------------------------------------------------------------------------


class CliCache:
    """The role sessions that AWS's own command has kept, which are read and never written.

    Only it can ask for an MFA code. A cache as botocore wants one: what is new stays in memory.
    """

    def __init__(self, folder: str, read: Callable[[str], object]) -> None:
        self._folder = folder
        self._read = read
        self._new: dict[str, object] = {}

    def __contains__(self, key: str) -> bool:
        try:
            self[key]
        except KeyError:
            return False
        return True

    def __getitem__(self, key: str) -> object:
        if key in self._new:
            return self._new[key]
        try:
            return self._read(os.path.join(self._folder, f"{key}.json"))
        except (OSError, ValueError):
            raise KeyError(key) from None

    def __setitem__(self, key: str, value: object) -> None:
        self._new[key] = value


class _RoleKeys(msgspec.Struct):
    AccessKeyId: str
    SecretAccessKey: str
    SessionToken: str
    Expiration: str


class _RoleSession(msgspec.Struct):
    """What botocore reads of an answer of STS; anything else in the file is left there."""

    Credentials: _RoleKeys


def _read_session(path: str) -> object:
    """What AWS's command has kept of a role.

    Raises:
        OSError, ValueError: there is not such a thing.
    """
    with open(path, "rb") as file:
        data = file.read(MAX_SESSION)
    return msgspec.to_builtins(msgspec.json.decode(data, type=_RoleSession))


def find_keys(
    order: ChainOrder, sight: Sight, environment: MutableMapping[str, str]
) -> ChainAnswer:
    """What botocore finds, in its own order of places. Blocks.

    Raises:
        Exception: whatever botocore raises; `read_fault` reads it.
    """
    session: Any = import_module("botocore.session").Session(profile=order.profile or None)
    session.set_default_client_config(
        import_module("botocore.config").Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"total_max_attempts": AWS_ATTEMPTS, "mode": "standard"},
        )
    )
    named = session.get_config_variable("profile") or ""
    sight.profile, sight.named = named, named
    sight.files = _describe_files(environment)
    profiles: dict[str, dict[str, Any]] = session.full_config["profiles"]
    if named and named not in profiles:
        return ChainAnswer(fault=_no_profile(named, list(profiles), sight))
    profile = profiles.get(named or "default", {})
    region = str(profile.get("region", ""))
    if not session.get_config_variable("region"):
        known = order.region or environment.get("AWS_REGION", "")
        role = str(profile.get("role_arn", "")) or environment.get("AWS_ROLE_ARN", "")
        if where := known or region_of_sts(role):
            session.set_config_variable("region", where)
    _name_sessions(profiles, environment)
    resolver: Any = session.get_component("credential_provider")
    if _asks_for_code(profiles, named or "default"):
        folder = os.path.join(home_folder(environment), ".aws", "cli", "cache")
        resolver.get_provider("assume-role").cache = CliCache(folder, _read_session)
    found = None
    methods: list[str] = []
    for provider in resolver.providers:
        sight.source = str(provider.METHOD)
        sight.host = sight.program = ""
        methods.append(sight.source)
        found = provider.load()
        if found is not None:
            break
    if found is None:
        return ChainAnswer(fault=_no_keys(profile, methods, list(profiles), sight))
    if found.method == "custom-process":
        # What the program has printed is as new as can be: keys for less than a quarter of an hour
        # would make botocore start it once more.
        found._advisory_refresh_timeout = found._mandatory_refresh_timeout = 0
    keys = found.get_frozen_credentials()
    return ChainAnswer(
        access_key_id=keys.access_key,
        secret_access_key=Secret(keys.secret_key),
        session_token=Secret(keys.token) if keys.token else None,
        expires_at=read_expiry(found, time.time()),
        region=region,
        source=str(found.method),
    )


def read_expiry(found: Any, now: float) -> float | None:
    """When keys of botocore's expire, a second early at most; None where they do not.

    It has no public member for it, but a public question: whether they are to be renewed within so
    many seconds. Half a minute of halving finds the number in 33 of them.
    """
    ask: Callable[[int], bool] | None = getattr(found, "refresh_needed", None)
    if ask is None or not ask(LONGEST_EXPIRY):
        return None
    least, most = 0, LONGEST_EXPIRY
    while most - least > 1:
        middle = (least + most) // 2
        least, most = (least, middle) if ask(middle) else (middle, most)
    return now + least


def region_of_sts(role: str) -> str:
    """Where STS is asked for a role when nobody has named a region; "" where it is not a role.

    The one of each partition that it began with: botocore used it for all until 2025.
    """
    name, _, rest = role.partition(":")
    return _FIRST_REGIONS.get(rest.partition(":")[0], "") if name == "arn" else ""


_FIRST_REGIONS = {"aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}


def _name_sessions(
    profiles: dict[str, dict[str, Any]], environment: MutableMapping[str, str]
) -> None:
    for profile in profiles.values():
        # With another name AWS's command would not have kept the session that needs a code.
        if "role_arn" in profile and "mfa_serial" not in profile:
            profile.setdefault("role_session_name", SESSION_NAME)
    if "AWS_WEB_IDENTITY_TOKEN_FILE" in environment:
        environment.setdefault("AWS_ROLE_SESSION_NAME", SESSION_NAME)


def _asks_for_code(profiles: dict[str, dict[str, Any]], name: str) -> bool:
    """Whether the role, or one that it is asked with, needs an MFA code."""
    seen: set[str] = set()
    while name in profiles and name not in seen:
        seen.add(name)
        if "mfa_serial" in profiles[name]:
            return True
        name = profiles[name].get("source_profile", "")
    return False


def _no_profile(named: str, profiles: list[str], sight: Sight) -> ChainFault:
    if not profiles:
        return ChainFault("no-profiles", sight.facts())
    close = difflib.get_close_matches(named, profiles, 3)
    choice = f"Did you mean {' or '.join(close)}?" if close else _list_profiles(profiles)
    return ChainFault("no-profile", sight.facts(choice=choice))


def _list_profiles(profiles: list[str]) -> str:
    if not profiles:
        return ""
    names = ", ".join(profiles[:MAX_NAMED])
    more = len(profiles) - MAX_NAMED
    return f"Profiles there: {names}{f' and {more} more' if more > 0 else ''}."


def _no_keys(
    profile: dict[str, Any], methods: list[str], profiles: list[str], sight: Sight
) -> ChainFault:
    if "login_session" in profile and "login" not in methods:
        return ChainFault("no-login", sight.facts(version=_version()))
    others = [one for one in profiles if one != (sight.profile or "default")]
    sight.source = ""
    return ChainFault("no-keys", sight.facts(choice=_list_profiles(others)))


def _describe_files(environment: Mapping[str, str]) -> str:
    config, credentials = key_files(environment)[:2]
    parts = [
        f"{path}{'' if os.path.isfile(path) else ' (not there)'}" for path in (config, credentials)
    ]
    return " and ".join(parts)


def _version() -> str:
    try:
        return str(import_module("botocore").__version__)
    except (ImportError, AttributeError):
        return ""


# The process --------------------------------------------------------------------------------


class Desk:
    """The one answer, and the end of everything."""

    def __init__(self, answers: int) -> None:
        self._answers = answers
        self._lock = threading.Lock()
        self._is_answered = False
        self.files: dict[str, None] = {}
        """Files that were opened, in their order."""

    def answer(self, answer: ChainAnswer) -> None:
        """Answers, unless that was done."""
        with self._lock:
            if self._is_answered:
                return
            self._is_answered = True
            answer.files = list(self.files)[:MAX_FILES]
            line = encode_line(answer)
            try:
                while line:
                    line = line[os.write(self._answers, line) :]
            except OSError:
                return  # nobody is there any more

    def die(self) -> NoReturn:
        """Ends this process and all that it has started."""
        if sys.platform != "win32" and os.getpgrp() == os.getpid():
            os.killpg(os.getpid(), signal.SIGKILL)
        os._exit(1)


def watch(desk: Desk, orders: int, sight: Sight, seconds: float) -> None:
    """Starts two threads that end the process.

    One does it after `seconds`, one when the other end of `orders` is closed.
    """

    def end_late() -> None:
        time.sleep(seconds)
        desk.answer(ChainAnswer(fault=read_hang(sight, seconds)))
        desk.die()

    def end_alone() -> None:
        while os.read(orders, 1024):
            pass
        time.sleep(FAREWELL)
        desk.die()

    for one in (end_late, end_alone):
        threading.Thread(target=one, daemon=True).start()


_LEFT_OUT = ("/etc/", "/usr/", "/proc/", "/sys/", "/dev/")
"""Where the files of the system are."""


def note_work(desk: Desk, sight: Sight) -> None:
    """Has Python tell what is opened, asked and started from now on (PEP 578)."""
    packages = os.path.dirname(os.path.dirname(str(import_module("botocore").__file__)))
    ours = (os.path.join(folder, "") for folder in (sys.prefix, sys.base_prefix, packages))
    left_out = (*ours, *_LEFT_OUT)

    def note(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "socket.getaddrinfo":
            sight.host, sight.program = str(arguments[0]), ""
        elif event == "subprocess.Popen":
            words: Any = arguments[1]
            sight.program = str(arguments[0] if isinstance(words, str) else words[0])
        elif event == "open" and isinstance(arguments[0], str) and len(desk.files) < MAX_FILES:
            path = arguments[0]
            if os.path.isabs(path) and not path.startswith(left_out):
                desk.files.setdefault(path)

    sys.addaudithook(note)


def _refuse_code(*_: object) -> NoReturn:
    raise MfaAsked


_NEEDED = {
    "botocore.session": "Session.set_default_client_config",
    "botocore.config": "Config",
    "botocore.credentials": "RefreshableCredentials.refresh_needed",
}
"""What is used of botocore, and may be younger than what is installed."""


def load_botocore() -> ChainFault | None:
    """Loads it, or says why that cannot be done."""
    # botocore asks for MFA codes by this function; it takes it when it is loaded.
    getpass.getpass = _refuse_code
    try:
        for module, names in _NEEDED.items():
            found: Any = import_module(module)
            for name in names.split("."):
                found = getattr(found, name)
    except ImportError as error:
        if isinstance(error, ModuleNotFoundError) and error.name == "botocore":
            return ChainFault("no-botocore")
        return ChainFault("broken-botocore", {"words": str(error)})
    except AttributeError as error:
        return ChainFault("old-botocore", {"words": str(error), "version": _version()})
    return None


def _take_pipes() -> tuple[int, int]:
    """The two pipes, in other places; in theirs is the null device, for whatever is started."""
    orders, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.close(nothing)
    return orders, answers


def _read_order(orders: int) -> ChainOrder:
    line = b""
    while not line.endswith(b"\n") and len(line) < MAX_ORDER:
        piece = os.read(orders, MAX_ORDER)
        if not piece:
            break
        line += piece
    return decode_order(line)


def main() -> int:
    """The child's whole life."""
    orders, answers = _take_pipes()
    order = _read_order(orders)
    desk, sight = Desk(answers), Sight(profile=order.profile, named=order.profile)
    watch(desk, orders, sight, order.seconds)
    fault = load_botocore()
    if fault is not None:
        desk.answer(ChainAnswer(fault=fault))
        return 0
    note_work(desk, sight)
    try:
        answer = find_keys(order, sight, os.environ)
    except Exception as error:
        answer = ChainAnswer(fault=read_fault(error, sight))
    desk.answer(answer)
    return 0


if __name__ == "__main__":
    main()
