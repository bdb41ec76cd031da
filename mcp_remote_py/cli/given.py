"""The arguments of a command: each option is read, as its row says, when it is asked for.

Must not know what any option means.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcp_remote_py.cli.arguments import Arguments
from mcp_remote_py.cli.options import OPTIONS
from mcp_remote_py.cli.readers import Reading


class Given:
    """The arguments, read.

    What a row gives is known to its author, and not to the type checker: `Any`.
    """

    def __init__(self, arguments: Arguments, environment: Mapping[str, str]) -> None:
        self.arguments = arguments
        self.environment = environment
        self.warnings: list[str] = []
        """Warnings for the person, before the command begins."""
        self.has = arguments.has
        self._allow_http = arguments.has("--allow-http")

    def get(self, name: str, default: Any = None) -> Any:
        """The value of an option, `default` where it is not given.

        Raises:
            UsageError: it cannot be read.
        """
        text = self.arguments.last(name)
        return default if text is None else self._read(name, text)

    def each(self, name: str) -> tuple[Any, ...]:
        """The values of one that can be repeated; see `get`."""
        return tuple(self._read(name, text) for text in self.arguments.each(name))

    def _read(self, name: str, text: str) -> object:
        return OPTIONS[name].read(text, Reading(name, self.environment, self._allow_http))
