"""The arguments of a command: each option is read, as its row says, when it is asked for.

Must not know what any option means.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mcp_remote_py.cli.arguments import Arguments, warn_of
from mcp_remote_py.cli.options import IGNORED, OPTIONS
from mcp_remote_py.cli.readers import Reading
from mcp_remote_py.errors import UsageError
from mcp_remote_py.redact import remember, tokens_in_word


class Given:
    """The arguments, read.

    What a row gives is known to its author, and not to the type checker: `Any`.
    """

    def __init__(self, arguments: Arguments, environment: Mapping[str, str]) -> None:
        self.arguments = arguments
        self.environment = environment
        self.warnings = list(arguments.warnings)
        """Warnings for the person, before the command begins."""
        self._allow_http = arguments.has("--allow-http")
        for name, words in arguments.options.items():
            # A header is known as a whole, once it is read.
            for word in words if OPTIONS[name].value != "HEADER" else ():
                remember(tokens_in_word(word))

    def get(self, name: str, default: Any = None) -> Any:
        """The value of an option, `default` where it is not given, or is ignored as it is.

        Raises:
            UsageError: it cannot be read.
        """
        text = self.arguments.first(name)
        if text is None:
            return default
        try:
            return self._read(name, text)
        except UsageError as error:
            if OPTIONS[name].bad != IGNORED:
                raise
            self.warnings.append(warn_of(error))
            self.leave_out(name)
            return default

    def has(self, name: str) -> bool:
        """Whether that option is given."""
        return self.arguments.has(name)

    def leave_out(self, name: str) -> None:
        """As if that option were not given: nor does a command that a person is told have it."""
        options = {other: found for other, found in self.arguments.options.items() if other != name}
        self.arguments = self.arguments.replace(options=options)

    def add_switch(self, name: str) -> None:
        """As if that option were given."""
        options = {**self.arguments.options, name: [""]}
        self.arguments = self.arguments.replace(options=options)

    def add_words(self, name: str, words: list[str]) -> None:
        """As if that option were given, with these words."""
        options = {**self.arguments.options, name: words}
        self.arguments = self.arguments.replace(options=options)

    def read_port(self, read: Callable[[str], int]) -> int | None:
        """The port behind the URL, None without one; what is not a port is ignored."""
        port = self.arguments.port
        try:
            return None if port is None else read(port)
        except UsageError as error:
            self.warnings.append(warn_of(error))
            self.arguments = self.arguments.replace(port=None)
            return None

    def each(self, name: str) -> tuple[Any, ...]:
        """The values of one that can be repeated; see `get`."""
        return tuple(self._read(name, text) for text in self.arguments.each(name))

    def _read(self, name: str, text: str) -> object:
        return OPTIONS[name].read(text, Reading(name, self.environment, self._allow_http))
