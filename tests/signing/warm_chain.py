"""The process that looks for AWS keys, as a module that a fork can become: botocore is loaded once.

See `tests.harness.warm.forked_module`. What botocore took from the environment as it was loaded is
taken again. Must not know who starts it.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

from mcp_remote_py.signing import chain_process

FAULT = chain_process.load_botocore()
assert FAULT is None

USERS: tuple[Any, ...] = (
    import_module("botocore.credentials").SSOProvider,
    import_module("botocore.tokens").SSOTokenProvider,
)
"""They look into the home folder as their classes are made."""


def main() -> int:
    """As `python -m` does."""
    folder = os.path.join(os.environ["HOME"], ".aws", "sso", "cache")
    for one in USERS:
        one._SSO_TOKEN_CACHE_DIR = folder
    return chain_process.main()
