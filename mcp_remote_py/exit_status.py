"""The exit statuses of the program; docs/options.md lists them. Only numbers."""

from __future__ import annotations

DONE_STATUS = 0

FAILED_STATUS = 1

WRONG_USAGE_STATUS = 2

SIGN_IN_NEEDED_STATUS = 3
"""Nobody is signed in, or the person has not finished signing in."""

INTERRUPTED_STATUS = 130
"""128 + SIGINT, as shells count."""
