"""The command with which a host starts us: one that is found without PATH, and stays.

How we were started ourselves tells: who made the environment we run in is seen by its path. Must
not know disks, nor what comes behind the program's name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from mcp_remote_py.json_text import UNREADABLE, bounded
from mcp_remote_py.patterns import lazy_pattern

_decode_origin = bounded(msgspec.json.Decoder(dict[str, object]).decode)

PACKAGE_NAME = "mcp-remote-py"

EXTRA_OF_AWS = "aws"


class Surroundings(NamedTuple):
    """What is known of how we were started; "" for what is not."""

    prefix: str
    """Where the environment is that we run in."""
    python: str
    """Its interpreter."""
    own_command: str = ""
    """The full path of our own command, as on PATH where that is the same one."""
    uvx: str = ""
    """The full path of uvx."""
    pipx: str = ""
    direct_url: str = ""
    """`direct_url.json` of our distribution (PEP 610): where it did not come from an index."""


class Launch(NamedTuple):
    """The command, its arguments up to the program's name, and what to tell the person."""

    command: str
    arguments: tuple[str, ...] = ()
    warning: str = ""
    is_fetched: bool = False
    """Whether a runner fetches the package when it is started."""


def typed_before(launch: Launch) -> str:
    """What a person types before our name to start the same program at a terminal; "" for nothing.

    With a blank behind it.
    """
    if not launch.is_fetched:
        return ""
    import shlex

    runner = launch.command.replace("\\", "/").rpartition("/")[2].removesuffix(".exe")
    return f"{shlex.join((runner, *launch.arguments[:-1]))} "


class _Maker(NamedTuple):
    shape: re.Pattern[str]
    """What is in the path of an environment it makes."""
    kind: str


_UVX, _PIPX_RUN, _KEPT = "uvx", "pipx run", "kept"

_MAKERS = (
    # uv: an environment for each command line, in its cache, which it may empty.
    _Maker(lazy_pattern(r"/archive-v0/|/builds-v0/"), _UVX),
    _Maker(lazy_pattern(r"/pipx/\.?[cC]ache/|/(?:\.cache|Caches)/pipx/"), _PIPX_RUN),
)
"""Those whose environments are not kept; all others are."""


def choose_launch(at: Surroundings, extra: str = "") -> Launch:
    """How a host starts us; with this extra of our package, where one is needed."""
    path = at.prefix.replace("\\", "/") + "/"
    kind = next((one.kind for one in _MAKERS if one.shape.search(path)), _KEPT)
    if kind == _KEPT:
        if at.own_command:
            return Launch(at.own_command)
        return Launch(at.python, ("-m", "mcp_remote_py"))
    package = _name_package(at.direct_url, extra)
    if kind == _PIPX_RUN:
        spec = ("--spec", package) if package != PACKAGE_NAME else ()
        return Launch(
            at.pipx or "pipx",
            ("run", *spec, PACKAGE_NAME),
            "" if at.pipx else _say_not_found("pipx"),
            is_fetched=True,
        )
    source = ("--from", package) if package != PACKAGE_NAME else ()
    return Launch(
        at.uvx or "uvx",
        (*source, PACKAGE_NAME),
        "" if at.uvx else _say_not_found("uvx"),
        is_fetched=True,
    )


def _say_not_found(program: str) -> str:
    return (
        f"{program} was not found on PATH, so its full path is not known. A desktop program may"
        f" not find it: write the full path as the command."
    )


def _name_package(direct_url: str, extra: str) -> str:
    """What `--from` is given: our name on the index, or the wheel, the folder or the repository."""
    extras = f"[{extra}]" if extra else ""
    source = _read_source(direct_url)
    if not source:
        return f"{PACKAGE_NAME}{extras}"
    if "://" in source:
        return f"{PACKAGE_NAME}{extras} @ {source}" if extras else source
    return f"{source}{extras}"


def _read_source(direct_url: str) -> str:
    """The path or the URL, "" where we are from an index."""
    if not direct_url:
        return ""
    try:
        found = _decode_origin(direct_url.encode())
    except UNREADABLE:
        return ""
    url = found.get("url")
    if not isinstance(url, str):
        return ""
    if url.startswith("file://"):
        return _to_path(url)
    vcs = found.get("vcs_info")
    if isinstance(vcs, Mapping):
        about: dict[object, object] = dict(vcs)  # pyright: ignore[reportUnknownArgumentType]
        commit = about.get("commit_id")
        return f"{about.get('vcs')}+{url}@{commit}"
    return url


_DRIVE = lazy_pattern(r"/[A-Za-z]:/")


def _to_path(url: str) -> str:
    from urllib.parse import unquote

    path = unquote(url.removeprefix("file://").partition("#")[0])
    if _DRIVE.match(path):
        return path[1:].replace("/", "\\")
    return path
