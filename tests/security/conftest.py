"""The stage of a sign-in, as `tests/signin` has it."""

from __future__ import annotations

from tests.signin.conftest import play

__all__ = ["play"]
