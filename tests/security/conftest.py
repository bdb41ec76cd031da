"""What an attack needs: wild servers, the real command started against them, and a stage."""

from __future__ import annotations

from tests.relay.conftest import fresh, relay, wild
from tests.signin.conftest import play

__all__ = ["fresh", "play", "relay", "wild"]
