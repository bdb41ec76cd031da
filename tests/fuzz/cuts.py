"""Bytes in pieces, as they may come from a socket or a pipe. Must not know what they say."""

from __future__ import annotations

import random
from typing import TypeVar

T = TypeVar("T")


def split_off(data: bytes) -> tuple[int, bytes]:
    """The number that the first byte is, and the rest: how a target is told which way to go."""
    return (data[0], data[1:]) if data else (0, b"")


def cut(data: bytes, way: int) -> list[bytes]:
    """The same bytes in pieces: 0 leaves them whole, 1 cuts at every byte, others somewhere."""
    if way == 0:
        return [data]
    if way == 1:
        return [data[at : at + 1] for at in range(len(data))]
    source = random.Random(way)  # noqa: S311 - where to cut is not a secret
    pieces: list[bytes] = []
    at = 0
    while at < len(data):
        size = source.choice((1, 2, 3, 7, 40, 300))
        pieces.append(data[at : at + size])
        at += size
    return pieces


def choose(way: int, *of: T) -> T:
    """One of them."""
    return of[way % len(of)]
