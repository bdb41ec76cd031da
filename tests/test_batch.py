"""Batches are cut into as many elements as a batch may have, and one more."""

from __future__ import annotations

import pytest

from mcp_remote_py.batch import cut_batch
from mcp_remote_py.bounds import MAX_BATCH, MAX_BATCH_BYTES
from mcp_remote_py.errors import InvalidMessage
from mcp_remote_py.jsonrpc import UNREADABLE, Message, parse_messages

NOTICE = b'{"jsonrpc":"2.0","method":"x"}'


@pytest.mark.report("S4")
@pytest.mark.parametrize("many", [0, 1, 2, MAX_BATCH, MAX_BATCH + 1, 50 * MAX_BATCH])
def test_elements_keep_their_bytes_and_are_never_too_many(many: int) -> None:
    elements = [b"%d" % number for number in range(many)]
    cut = list(map(bytes, cut_batch(b"[" + b" , ".join(elements) + b"]")))
    assert cut == elements[: MAX_BATCH + 1]


@pytest.mark.parametrize("raw", [b"{}", b"[1", b"[1,]", b"", b"[1]x"])
def test_what_is_no_array_is_refused(raw: bytes) -> None:
    with pytest.raises(UNREADABLE):
        cut_batch(raw)


@pytest.mark.report("S4")
def test_a_batch_of_as_many_messages_as_may_be_is_read() -> None:
    messages = list(parse_messages(b"[" + b",".join([NOTICE] * MAX_BATCH) + b"]"))
    assert len(messages) == MAX_BATCH
    assert all(isinstance(one, Message) and one.raw == NOTICE for one in messages)


@pytest.mark.report("S4")
@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"[" + b",".join([NOTICE] * (MAX_BATCH + 1)) + b"]", f"more than {MAX_BATCH} messages"),
        (b"[" + b"0," * 1_000_000 + b"0]", f"more than {MAX_BATCH} messages"),
        (b'["' + b"x" * MAX_BATCH_BYTES + b'"]', "larger than"),
        (b" " * 1000 + b"[" + b"[]," * 1_000_000 + b"0]", "messages"),
    ],
)
def test_a_larger_one_is_refused_as_a_whole(raw: bytes, words: str) -> None:
    with pytest.raises(InvalidMessage) as caught:
        list(parse_messages(raw))
    assert words in caught.value.cause
