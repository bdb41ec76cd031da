"""What is remembered of a server and is no secret: one small plain file per session (decision D9).

Today: which transport answered. A file that is missing, broken or from another version means
"nothing known", never an error: everything in it can be found out again. Must not know tokens
or the keyring.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

logger = logging.getLogger("mcp_remote_py.credentials")

SCHEMA = 1
DIRECTORY_VARIABLE = "MCP_REMOTE_CONFIG_DIR"
"""mcp-remote's name for the folder of what it keeps."""


class State(msgspec.Struct, omit_defaults=True):
    """One server's record; `transport` is "" where nothing is remembered."""

    schema: int = SCHEMA
    server: str = ""
    transport: str = ""


def state_directory(environment: Mapping[str, str]) -> Path:
    """Where records lie: the variable's folder, else the platform's for local state."""
    named = environment.get(DIRECTORY_VARIABLE)
    if named:
        return Path(named) / "mcp-remote-py"
    import platformdirs

    return Path(platformdirs.user_state_dir("mcp-remote-py", appauthor=False))


class StateFile:
    """The record of one server, keyed by its URL."""

    def __init__(self, directory: Path, server: str) -> None:
        self._server = server
        name = hashlib.sha256(server.encode()).hexdigest()[:32]
        self._path = directory / f"{name}.json"

    def read(self) -> State:
        """The record, or an empty one."""
        try:
            state = msgspec.json.decode(self._path.read_bytes(), type=State)
        except FileNotFoundError:
            return State()
        except (OSError, ValueError, RecursionError) as error:
            # ValueError: msgspec's own, and that of bytes that are no UTF-8
            logger.warning("The record %s is not usable and is ignored: %s", self._path, error)
            return State()
        return state if state.schema == SCHEMA and state.server == self._server else State()

    def write(self, transport: str) -> None:
        """Replaces the record, at once or not at all; readable by its owner only."""
        state = State(server=self._server, transport=transport)
        temporary = self._path.with_suffix(f".{os.getpid()}.tmp")
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(msgspec.json.encode(state))
                os.replace(temporary, self._path)
            except OSError:
                temporary.unlink(missing_ok=True)
                raise
        except OSError as error:
            logger.warning("The record %s cannot be written: %s", self._path, error)
