"""What tests of a check with a sign-in need: a stage that is set in one line."""

from __future__ import annotations

from tests.signin.conftest import play

__all__ = ["play"]
