"""Which files may bring other AWS keys, and whether any of them has changed.

What is looked at is a dozen names: no folder is listed, no file is read. A new file in a folder
changes the folder; a file that is written again in its place is found by its name, which the
process that looked for keys reports. Must not know what stands in a file.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping

from mcp_remote_py.named_files import stamp_file

MAX_FILES = 32
"""Files of the last search that are watched: a person has two, and one for each cache."""

_NAMED = (
    ("AWS_CONFIG_FILE", "config"),
    ("AWS_SHARED_CREDENTIALS_FILE", "credentials"),
    ("AWS_LOGIN_CACHE_DIRECTORY", "login/cache"),
    ("AWS_WEB_IDENTITY_TOKEN_FILE", ""),
    ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", ""),
    ("", "sso/cache"),
    ("", "cli/cache"),
)
"""The variable that names a place, and where it is in `~/.aws` without one."""


def home_folder(environment: Mapping[str, str], platform: str = sys.platform) -> str:
    """The folder that has `.aws`, as AWS's own programs find it; `platform` as of `sys`."""
    return environment.get(_HOMES.get(platform, "HOME")) or os.path.expanduser("~")


_HOMES = {"win32": "USERPROFILE"}
"""Windows: HOME may be there, and is for others."""


def key_files(environment: Mapping[str, str]) -> list[str]:
    """The files and folders where AWS's own programs keep what brings keys."""
    home = home_folder(environment)
    found: list[str] = []
    for variable, usual in _NAMED:
        if named := environment.get(variable, ""):
            is_at_home = named == "~" or named.startswith(("~/", "~\\"))
            found.append(home + named[1:] if is_at_home else named)
        elif usual:
            found.append(os.path.join(home, ".aws", *usual.split("/")))
    return found


class FileStamps:
    """How files looked at one time: equal to how they look at another, as far as both times tell.

    A search finds more files to watch; that alone does not change anything.
    """

    __slots__ = ("_stamps",)

    def __init__(self, paths: Iterable[str]) -> None:
        self._stamps = {path: stamp_file(path) for path in paths}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FileStamps) and all(
            other._stamps.get(path, stamp) == stamp for path, stamp in self._stamps.items()
        )
