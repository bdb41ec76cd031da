"""Randomness as an argument: whoever draws is handed its source. Must not know any source."""

from __future__ import annotations

from collections.abc import Callable

Random = Callable[[], float]
"""Uniform in [0, 1); what is drawn need not be secret."""

RandomBytes = Callable[[int], bytes]
"""That many bytes that nobody can guess."""
