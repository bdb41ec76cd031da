"""All systems, in the order of the table: one line for each file of rows.

A new row is a `System` in such a file: its `start` yields a `Scene` and says with `Absent` what the
system does not offer. By hand: `python -m tests.interop --systems KEY --commands ours,mcp-remote`.
"""

from __future__ import annotations

from tests.interop import (
    grant_systems,
    provider_systems,
    sdk_systems,
    shape_systems,
    worker_systems,
)
from tests.interop.aws import systems as aws_systems
from tests.interop.systems import System

SYSTEMS: tuple[System, ...] = (
    *worker_systems.SYSTEMS,
    *provider_systems.SYSTEMS,
    *grant_systems.SYSTEMS,
    *sdk_systems.SYSTEMS,
    *shape_systems.SYSTEMS,
    *aws_systems.SYSTEMS,
)


def find(key: str) -> System:
    """The system of that key.

    Raises:
        LookupError: there is none; the text names those there are.
    """
    for system in SYSTEMS:
        if system.key == key:
            return system
    raise LookupError(f"no system {key!r}; there are {', '.join(one.key for one in SYSTEMS)}")
