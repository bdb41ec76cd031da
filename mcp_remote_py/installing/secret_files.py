"""Files of ours that hold the secrets of an entry: only their owner can read them.

They lie in a folder of their own, and go with the entry. Must not know what is in them.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Iterable, Mapping
from hashlib import sha256
from pathlib import Path

from mcp_remote_py.credentials.files import delete, read_private, write_private
from mcp_remote_py.credentials.session_files import state_directory
from mcp_remote_py.randomness import RandomBytes

ENTRY_FOLDER = "entries"
"""In the folder of what we keep."""


def lock_of_configs(environment: Mapping[str, str]) -> Path:
    """Where those of our processes wait for each other that change a configuration."""
    return state_directory(environment) / "install.lock"


def name_secret_file(environment: Mapping[str, str], config: str, name: str, ending: str) -> str:
    """The path of the file for that entry: another one for each name in each configuration."""
    plain = "".join(one if one.isascii() and one.isalnum() else "-" for one in name)[:40]
    mark = sha256(f"{config}\n{name}".encode("utf-8", "surrogatepass")).hexdigest()[:8]
    folder = state_directory(environment) / ENTRY_FOLDER
    return str(folder / f"{plain}-{mark}.{ending}")


@contextlib.contextmanager
def kept_secret_files(
    files: Mapping[str, str], randomness: RandomBytes = os.urandom
) -> Generator[None]:
    """Writes them; where they cannot be, or what is done in its block fails, all is as it was.

    Raises:
        StoreError: it is impossible.
    """
    before: dict[Path, bytes | None] = {}
    try:
        for name, content in files.items():
            path = Path(name)
            before[path] = read_private(path)
            write_private(path, content.encode(), randomness)
        yield
    except BaseException:
        for path, old in before.items():
            if old is None:
                delete(path)
            else:
                write_private(path, old, randomness)
        raise


def files_of_entry(words: Iterable[str], environment: Mapping[str, str]) -> list[str]:
    """Those files of ours that the words of an entry name."""
    folder = state_directory(environment) / ENTRY_FOLDER
    paths = (word.removeprefix("@") for word in words)
    return [path for path in paths if Path(path).parent == folder]


def delete_secret_files(paths: Iterable[str]) -> None:
    """Deletes them, as far as they are there.

    Raises:
        StoreError: it is impossible.
    """
    for path in paths:
        delete(Path(path))
