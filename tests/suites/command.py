"""The command as a module that a fork can become, for hosts that are not ours.

See `tests.harness.warm.forked_module`. Must not know who starts it.
"""

from __future__ import annotations

import importlib


def main() -> int:
    """As the console script does."""
    importlib.import_module("mcp_remote_py.__main__").run()
    return 0
