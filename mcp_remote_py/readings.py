"""Readings: the ways in which servers in use say one thing, or want one thing said.

A family of them is a table beside the code that judges it; each row names where it was seen. The
order of a table is the order in which its rows are tried, and its bound says how many. Must not
know what any row means: this is the shape that they share, for tests and for `docs/readings.md`.
"""

from __future__ import annotations

from mcp_remote_py.values import Value


class Source(Value, frozen=True):
    """Why a row is there: whose words or habit it is, and which report or section tells of it."""

    who: str
    """A product, a kind of server, or a specification."""
    where: str
    """A section (RFC 7591 §3.2.2), a report of the tests (O1), a field note (field note 9)."""
