"""Faults of the network: what happens on the way, and what the host must see of it.

A row is played by `test_network.py` between the real command and a real server. Its `mark` says
from which request on the fault is there; each row names the field notes it is for. Must not play.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from tests.peers.fault_proxy import Fault
from tests.thorough import THOROUGH

CALL, READ, TOKEN = b'"name": "echo"', b'"name": "lookup"', b"POST /as/token"
INITIALIZE, LIST, LISTEN = b'"method": "initialize"', b'"method": "tools/list"', b"GET /mcp"
METADATA, REGISTER = b"GET /.well-known/", b"POST /as/register"

RESULT = "result"
"""What is seen where the host does not notice."""
EITHER = "either"
"""A result or an error, and each once: what else was on the wire may be a reason for both."""

Row = TypeVar("Row", "NetworkRow", "SignInRow")


def played(rows: Mapping[str, Row]) -> list[str]:
    """By name, those that are played in this run."""
    return [name for name, row in rows.items() if THOROUGH or row.in_the_gate]


SHORT = ("--headers-timeout", "0.4", "--body-timeout", "0.4", "--connect-timeout", "0.4")
DRIP = ("--headers-timeout", "3", "--body-timeout", "0.4")


@dataclass(frozen=True)
class NetworkRow:
    """One fault of the network.

    Attributes:
        fault: what happens to the next requests with `mark`.
        times: to how many of them.
        seen: `RESULT`, `EITHER`, or what the error says, `|` between words of which one will do.
        notes: numbers of the field notes.
        options: of the command.
        sent: how often the request may be sent at most, whole or in part.
        sse: whether the server answers by event streams.
        seconds: within which the host has its answer.
        in_the_gate: whether it is played there.
    """

    mark: bytes
    fault: Fault
    seen: tuple[str, ...]
    notes: tuple[int, ...]
    options: tuple[str, ...] = SHORT
    times: int = 1
    sent: int = 1
    sse: bool = False
    seconds: float = 15.0
    in_the_gate: bool = False


PART = 150
"""Bytes: less than any request has."""

LATE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 41\r\n\r\n"
    b'{"jsonrpc":"2.0","id":2,"result":{"a":1}}'
)
"""An answer that nobody waits for any more."""

CALLS = {
    "nothing is forwarded": NetworkRow(
        CALL,
        Fault(request=0, then="silence"),
        ("took too long",),
        (19, 29),
        in_the_gate=True,
    ),
    "a part of the request is forwarded, then silence": NetworkRow(
        CALL, Fault(request=PART, then="silence"), ("took too long",), (19,)
    ),
    "a part of the request, then a reset": NetworkRow(
        CALL, Fault(request=PART), ("may have|reset|closed",), (19, 20), in_the_gate=True
    ),
    "a part of the request, then the end": NetworkRow(
        CALL, Fault(request=PART, then="end"), ("may have|closed|end",), (19,)
    ),
    "the whole request, then a reset": NetworkRow(CALL, Fault(response=0), ("may have",), (18, 19)),
    "the whole request, then the end": NetworkRow(
        CALL, Fault(response=0, then="end"), ("may have",), (18, 19)
    ),
    "the peer is gone without a word, before the head": NetworkRow(
        CALL, Fault(response=0, then="vanish"), ("took too long",), (19, 21), in_the_gate=True
    ),
    "the peer is gone without a word, in the head": NetworkRow(
        CALL, Fault(response=30, then="vanish"), ("took too long",), (19, 21)
    ),
    "the peer is gone without a word, in the body": NetworkRow(
        CALL, Fault(response=100, then="vanish"), ("took too long",), (19, 21)
    ),
    "the peer is gone without a word, in an event": NetworkRow(
        CALL, Fault(response=140, then="vanish"), ("took too long",), (19, 21), sse=True
    ),
    "a stall before the head, longer than the time-out": NetworkRow(
        CALL, Fault(response=0, pause=1.0, then="go on"), ("took too long",), (19, 30)
    ),
    "a stall in the head, longer than the time-out": NetworkRow(
        CALL, Fault(response=30, pause=1.0, then="go on"), ("took too long",), (19, 30)
    ),
    "a stall in the body, longer than the time-out": NetworkRow(
        CALL,
        Fault(response=100, pause=1.0, then="go on"),
        ("took too long",),
        (19, 30),
        in_the_gate=True,
    ),
    "a stall in an event, longer than the time-out": NetworkRow(
        CALL, Fault(response=140, pause=1.0, then="go on"), ("took too long",), (19, 30), sse=True
    ),
    "a stall in the body, shorter than the time-out": NetworkRow(
        CALL, Fault(response=100, pause=0.15, then="go on"), (RESULT,), (30,)
    ),
    "a byte now and then": NetworkRow(
        CALL, Fault(pace=0.005), (RESULT,), (30,), options=DRIP, in_the_gate=True
    ),
    "a byte now and then, of an event stream": NetworkRow(
        CALL, Fault(pace=0.005), (RESULT,), (30,), options=DRIP, sse=True
    ),
    "one byte a second": NetworkRow(
        CALL,
        Fault(response=30, pace=1.0, then="silence"),
        ("took too long",),
        (30,),
        options=("--headers-timeout", "2.5", "--body-timeout", "2"),
    ),
    "bytes of nothing behind the answer": NetworkRow(
        CALL, Fault(behind=b"\r\n\r\n\x00garbage"), (RESULT,), (13, 19), in_the_gate=True
    ),
    "another answer behind the answer": NetworkRow(
        CALL, Fault(behind=LATE), (RESULT,), (13, 19), in_the_gate=True
    ),
}
"""A call that may have an effect: it is never sent twice, whatever happens to it."""

READS = {
    f"read: {name}": NetworkRow(
        READ,
        row.fault,
        seen,
        row.notes,
        row.options,
        sent=2,
        sse=row.sse,
        seconds=row.seconds,
        in_the_gate=False,
    )
    for name, row, seen in (
        (name, row, (RESULT,) if row.fault.then in ("reset", "end") else (EITHER,))
        for name, row in CALLS.items()
    )
} | {
    "read: reset twice": NetworkRow(
        READ,
        Fault(response=0),
        ("connection|answer|reset",),
        (19,),
        times=2,
        sent=2,
        in_the_gate=True,
    ),
}
"""What is harmless is sent once more where the first time was lost, and no more often."""


@dataclass(frozen=True)
class SignInRow:
    """One fault on the way of a sign-in or a renewal.

    Attributes:
        fault, mark, notes, times, in_the_gate: as of `NetworkRow`.
        seen: of the request that meets it: `RESULT`, `EITHER`, or what the error says.
        tabs: how many there are at most until it works again.
        asked: how many requests with the mark there are at most, until the host has its answer.
        options: of the command.
        seconds: within which the host has each answer.
    """

    mark: bytes
    fault: Fault
    seen: tuple[str, ...]
    notes: tuple[int, ...]
    times: int = 1
    asked: int = 1
    tabs: int = 0
    options: tuple[str, ...] = SHORT
    seconds: float = 40.0
    in_the_gate: bool = False


HOLE = Fault(request=0, then="silence")

RENEWALS = {
    "the token endpoint is a black hole": SignInRow(
        TOKEN, HOLE, (EITHER,), (2, 49), in_the_gate=True
    ),
    "a part of the token request, then a reset": SignInRow(
        TOKEN, Fault(request=PART), (EITHER,), (3, 49)
    ),
    "the token request, then a reset": SignInRow(TOKEN, Fault(response=0), (EITHER,), (3, 49)),
    "the token request, then the end": SignInRow(
        TOKEN, Fault(response=0, then="end"), (EITHER,), (3, 49), in_the_gate=True
    ),
    "the token endpoint is gone without a word in its head": SignInRow(
        TOKEN, Fault(response=40, then="vanish"), (EITHER,), (3, 49)
    ),
    "the token answer stalls in its body": SignInRow(
        TOKEN, Fault(response=200, pause=1.0, then="go on"), (EITHER,), (3, 49)
    ),
    "the token answer comes byte by byte": SignInRow(
        TOKEN, Fault(pace=0.002), (RESULT,), (2,), options=()
    ),
    "garbage behind the token answer": SignInRow(
        TOKEN, Fault(behind=b"\x00\x01HTTP/1.1 500 no\r\n\r\n"), (EITHER,), (13, 49)
    ),
}
"""A renewal whose answer may be lost: of a server that keeps old refresh tokens for a while."""

SIGN_INS = {
    "metadata are a black hole": SignInRow(
        METADATA, HOLE, (EITHER,), (29, 49), times=12, asked=12, in_the_gate=True
    ),
    "metadata are reset": SignInRow(
        METADATA, Fault(response=0), (EITHER,), (29, 49), times=1, asked=12, tabs=1
    ),
    "the registration is reset once": SignInRow(
        REGISTER, Fault(response=0), (EITHER,), (6, 49), asked=6, tabs=1, in_the_gate=True
    ),
    "the code's exchange is reset": SignInRow(
        TOKEN, Fault(response=0), (EITHER,), (13, 49), tabs=1, in_the_gate=True
    ),
    "a part of the code's exchange, then a reset": SignInRow(
        TOKEN, Fault(request=PART), (EITHER,), (13, 49), tabs=1
    ),
    "the code's answer is cut in its body": SignInRow(
        TOKEN, Fault(response=300, then="end"), (EITHER,), (13, 49), tabs=1
    ),
    "the registration is a black hole": SignInRow(
        REGISTER, HOLE, ("registration", "not answered"), (6, 49), times=9, asked=9
    ),
    "the registration is a black hole, and no option says how long": SignInRow(
        REGISTER,
        HOLE,
        ("registration", "not answered"),
        (6, 49),
        times=9,
        asked=9,
        options=(),
        seconds=60.0,
    ),
    "the code's exchange is a black hole": SignInRow(
        TOKEN,
        HOLE,
        ("tokens of your sign-in did not arrive", "sign in again: mcp-remote-py login"),
        (13, 49),
        tabs=1,
    ),
    "the code's exchange is a black hole, and no option says how long": SignInRow(
        TOKEN,
        HOLE,
        (RESULT,),  # a code has 60 s, and hosts wait for less
        (13, 49),
        tabs=1,
        options=(),
        seconds=55.0,
    ),
}
"""A sign-in on a way that fails: one tab at most, a code is sent once, and `login` mends it."""
