"""The exit statuses of the commands that end by themselves; the README lists them. Only numbers."""

from __future__ import annotations

DONE_STATUS = 0

FAILED_STATUS = 1

SIGN_IN_NEEDED_STATUS = 3
"""Nobody is signed in, or the person has not finished signing in."""
