"""Regular expressions that are compiled when they are first used.

A start loads some forty and uses five; to compile all of them costs 5 of its 120 ms. Must not know
what they are for.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, AnyStr, cast

if TYPE_CHECKING:
    from re import Pattern


class _Pattern:
    """Stands for a compiled pattern, and becomes one."""

    def __init__(self, source: Any, flags: int) -> None:
        self._source = source
        self._flags = flags

    def __getattr__(self, name: str) -> Any:
        """A method or an attribute of the compiled one; from then on it is at hand."""
        value = getattr(re.compile(self._source, self._flags), name)
        setattr(self, name, value)
        return value


def lazy_pattern(source: AnyStr, flags: int = 0) -> Pattern[AnyStr]:
    """A pattern that is compiled at its first use; a wrong one fails then."""
    return cast("Pattern[AnyStr]", _Pattern(source, flags))
