"""Bytes in, bytes out, and of the envelope exactly what JSON-RPC says it is."""

from __future__ import annotations

import codecs
import json
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_remote_py.bounds import LONG_BYTES, MAX_BATCH, MAX_BATCH_BYTES, MAX_MENDED_AT_ONCE
from mcp_remote_py.errors import InvalidMessage
from mcp_remote_py.json_text import mend_surrogates
from mcp_remote_py.jsonrpc import (
    INVALID_REQUEST,
    PARSE_ERROR,
    SHORT_BYTES,
    Kind,
    Message,
    find_asked,
    make_error,
    make_notification,
    make_request,
    make_result,
)
from mcp_remote_py.parsing import (
    ID_WINDOW_BYTES,
    UTF8_PIECE_BYTES,
    check_utf8,
    find_id,
    parse_message,
    parse_messages,
    read_messages,
)
from mcp_remote_py.survey import SURVEY_BYTES


def refuse(raw: bytes) -> InvalidMessage:
    """The error that `raw` as a whole is."""
    with pytest.raises(InvalidMessage) as caught:
        list(parse_messages(raw))
    return caught.value


def request(member: bytes, value: bytes) -> bytes:
    return b'{"id":7,"method":"x/y",%b:%b}' % (member, value)


VALUES: dict[str, bytes] = {
    "big integer": b"12345678901234567890123",
    "integer of 5,000 digits": b"9" * 5000,
    "1.0": b"1.0",
    "-0.0": b"-0.0",
    "-0": b"-0",
    "1E+3": b"1E+3",
    "beyond double": b"1e999",
    "escapes": rb'"\u0041\u00e9\u00E9\/\b\f\n\r\t\"\\"',
    "raw beside escaped": '"é\\u00e9"'.encode(),
    "surrogate pair": rb'"\ud83d\uDE00"',
    "lone high surrogate": rb'"\ud800"',
    "lone low surrogate": rb'"x\uDFFFy"',
    "swapped pair": rb'"\udc00\ud800"',
    "high before a letter": rb'"\ud83d\u0041"',
    "escaped backslash before u": rb'"\\ud800"',
    "lone surrogate as a name": rb'{"\ud800":1}',
    "lone surrogate and a huge integer": rb'["\ud800",' + b"9" * 5000 + b"]",
    "line separators": '"a\u2028b\u2029c\u0085d"'.encode(),
    "byte order mark inside": '"\ufeff"'.encode(),
    "DEL and C1": '"\x7f\u0080"'.encode(),
    "NUL escaped": rb'"\u0000"',
    "key order": b'{"z":1,"a":2,"m":3}',
    "same key twice": b'{"a":1,"a":2}',
    "empty key": b'{"":{"":[]}}',
    "blanks": b'{ "a" :\t[ 1 ,2,  3 ] }',
    "deep": b"[" * 200 + b"]" * 200,
    "looks like a message": b'{"jsonrpc":"2.0","id":1,"result":{}}',
    "SSE": rb'"\ndata: {}\n\n"',
}


@pytest.mark.promise("R2")
@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
@pytest.mark.parametrize("member", [b'"params"', b'"unknown"'])
def test_bytes_stay_as_they_are(member: bytes, value: bytes) -> None:
    raw = request(member, value)
    message = parse_message(raw)
    assert message.raw == raw
    assert (message.kind, message.method) == (Kind.REQUEST, "x/y")
    assert (message.raw_id, message.key) == (b"7", 7)


@pytest.mark.promise("R2")
@pytest.mark.parametrize("value", [value for value in VALUES.values() if b"ud8" not in value])
def test_parts_stay_as_they_are(value: bytes) -> None:
    if b"DFFF" in value or b"udc" in value:
        value = value.replace(rb"\uDFFF", b"")
    assert parse_message(request(b'"params"', value)).params == value
    assert parse_message(b'{"id":1,"result":%b}' % value).result == value
    assert parse_message(b'{"id":1,"error":%b}' % value).error == value


def test_parts_that_are_not_there_are_empty() -> None:
    message = parse_message(b'{"method":"a"}')
    assert (message.params, message.result, message.error) == (b"", b"", b"")


@pytest.mark.promise("R2")
@pytest.mark.parametrize(
    ("value", "readable"),
    [
        (rb'"\ud800"', rb'"\ufffd"'),
        (rb'"a\uDFFFb"', rb'"a\ufffdb"'),
        (rb'"\ud83d\ud83d\ude00"', rb'"\ufffd\ud83d\ude00"'),
        (rb'"\ud83d\ude00\ude00"', rb'"\ud83d\ude00\ufffd"'),
        (rb'"\\ud800\ud800\\\ud800"', rb'"\\ud800\ufffd\\\ufffd"'),
        (rb'{"n":1.0,"\udbff":-0.0}', rb'{"n":1.0,"\ufffd":-0.0}'),
        (rb'"\\ud83d\ude00"', rb'"\\ud83d\ufffd"'),
        (rb'"\ud83d\\ude00"', rb'"\ufffd\\ude00"'),
        (rb'"\ud83d \ude00"', rb'"\ufffd \ufffd"'),
        (rb'"\udc00\ud83d\ude00\ud800"', rb'"\ufffd\ud83d\ude00\ufffd"'),
    ],
)
def test_a_message_with_lone_surrogates_stays_readable(value: bytes, readable: bytes) -> None:
    asked = parse_message(request(b'"params"', value))
    assert asked.raw == request(b'"params"', value)
    assert (asked.kind, asked.method, asked.key) == (Kind.REQUEST, "x/y", 7)
    assert asked.params == readable
    answer = parse_message(b'{"id":"q","result":%b}' % value)
    assert (answer.kind, answer.key, answer.result) == (Kind.RESPONSE, "q", readable)
    assert parse_message(b'{"method":"a","params":%b}' % value).kind is Kind.NOTIFICATION


@pytest.mark.promise("R1")
@pytest.mark.parametrize("raw_id", [rb'"\ud800"', rb'"\uD800"', rb'"\u0061"', b"1.0", b"-7"])
def test_ids_beside_lone_surrogates_keep_their_spelling(raw_id: bytes) -> None:
    asked = parse_message(rb'{"id":%b,"method":"a","params":"\ud800"}' % raw_id)
    answer = parse_message(rb'{"result":{"x":"\ud800"},"id":%b}' % raw_id)
    assert asked.raw_id == answer.raw_id == raw_id
    assert asked.key == answer.key == json.loads(raw_id)


@pytest.mark.promise("R8")
@pytest.mark.parametrize("unit", [rb"\n", rb"\\", rb"\ud83d\ude00", rb"\ud800"])
@pytest.mark.timeout(20)
def test_a_large_message_with_a_lone_surrogate_is_read_in_bounded_time(unit: bytes) -> None:
    text = unit * (4_000_000 // len(unit))
    raw = rb'{"id":7,"result":"\ud800%b"}' % text
    message = parse_message(raw)
    assert message.raw == raw
    assert len(message.result) == len(text) + 8


def test_an_id_far_inside_of_a_large_message_with_lone_surrogates_is_still_one() -> None:
    filler = b'"' + b"x" * ID_WINDOW_BYTES + b'"'
    raw = rb'{"a":%b,"id":7,"method":"x","b":["\ud800",%b]}' % (filler, filler)
    assert (parse_message(raw).key, parse_message(raw).raw_id) == (7, b"7")


@pytest.mark.promise("R2")
def test_line_ends_of_the_layout_become_blanks_and_only_those() -> None:
    raw = (
        b'\r\n{\n  "id": 7,\r\n\t"method":\r"x\\n",\n "params": {\n"a":\n"\\r\\n\xe2\x80\xa8"}\n}\n'
    )
    line = b'  {   "id": 7,  \t"method": "x\\n",  "params": { "a": "\\r\\n\xe2\x80\xa8"} } '
    message = parse_message(raw)
    assert message.raw == line
    assert message.params == b'{ "a": "\\r\\n\xe2\x80\xa8"}'
    assert message.method == "x\n"


@pytest.mark.promise("R2")
@pytest.mark.parametrize("end", [b"\n", b"\r"])
def test_a_raw_line_end_inside_a_string_is_refused(end: bytes) -> None:
    error = refuse(b'{"id":7,"method":"x","params":"a%bb"}' % end)
    assert (error.code, error.raw_id) == (PARSE_ERROR, b"7")
    assert str(error) == "The message is not valid JSON: invalid character (byte 32)."


@pytest.mark.promise("R2")
def test_a_leading_byte_order_mark_is_not_a_part_of_the_message() -> None:
    raw = b'{"id":7,"method":"x"}'
    mark = b"\xef\xbb\xbf"
    assert parse_message(mark + raw).raw == raw
    assert [one.raw for one in messages(mark + b"[%b]" % raw)] == [raw]


# ------------------------------------------------------------------------- kinds and ids


@pytest.mark.parametrize(
    ("raw", "kind", "name", "raw_id", "key", "is_error"),
    [
        (b'{"id":1,"method":"a"}', Kind.REQUEST, "a", b"1", 1, False),
        (b'{"method":"a"}', Kind.NOTIFICATION, "a", b"", None, False),
        (b'{"id":1,"result":{}}', Kind.RESPONSE, "", b"1", 1, False),
        (b'{"id":1,"result":null}', Kind.RESPONSE, "", b"1", 1, False),
        (b'{"id":1,"error":{}}', Kind.RESPONSE, "", b"1", 1, True),
        (b'{"id":1,"error":null}', Kind.RESPONSE, "", b"1", 1, True),
        (b'{"id":null,"error":{}}', Kind.RESPONSE, "", b"null", None, True),
        (b'{"error":{}}', Kind.RESPONSE, "", b"", None, True),
        (b'{"id":1,"result":2,"error":null}', Kind.RESPONSE, "", b"1", 1, False),
        (b'{"id":1,"result":null,"error":{}}', Kind.RESPONSE, "", b"1", 1, True),
        (b'{"id":1,"method":"a","result":2}', Kind.REQUEST, "a", b"1", 1, False),
        (b'{"id":1,"method":"","result":2}', Kind.RESPONSE, "", b"1", 1, False),
        (b'{"id":1,"method":null,"error":{},"result":null}', Kind.RESPONSE, "", b"1", 1, True),
        (b'{"id":1,"method":""}', Kind.REQUEST, "", b"1", 1, False),
        (b'{"\\u0069d":1,"meth\\u006fd":"a"}', Kind.REQUEST, "a", b"1", 1, False),
        (b'{"id":1,"id":2,"method":"a","method":"b"}', Kind.REQUEST, "b", b"2", 2, False),
    ],
)
def test_what_a_message_is(
    raw: bytes, kind: Kind, name: str, raw_id: bytes, key: object, is_error: bool
) -> None:
    message = parse_message(raw)
    assert (message.kind, message.method) == (kind, name)
    assert (message.raw_id, message.key, message.is_error) == (raw_id, key, is_error)


def key_of(raw_id: bytes) -> object:
    return parse_message(b'{"id":%b,"method":"a"}' % raw_id).key


@pytest.mark.promise("R1")
@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b"1", b"1.0"),
        (b"10", b"1e1"),
        (b"-0", b"0"),
        (b"-0.0", b"0"),
        (rb'"\u0061"', b'"a"'),
        (rb'"\/"', b'"/"'),
        (rb'"\ud83d\ude00"', '"😀"'.encode()),
        (b"9" * 5000, b"9" * 5000),
    ],
)
def test_ids_that_are_one(one: bytes, other: bytes) -> None:
    assert key_of(one) == key_of(other)
    assert hash(key_of(one)) == hash(key_of(other))


@pytest.mark.promise("R1")
@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b'"1"', b"1"),
        (b"9007199254740993", b"9007199254740992"),
        (b"9007199254740993", b"9007199254740992.0"),
        (b"12345678901234567890123", b"12345678901234567890124"),
        (b"9" * 5000, b"9" * 4999 + b"8"),
        (b'"a"', b'"A"'),
        (b'""', b"0"),
        (b"1.5", b"1"),
    ],
)
def test_ids_that_are_two(one: bytes, other: bytes) -> None:
    assert key_of(one) != key_of(other)


@pytest.mark.promise("R1")
@pytest.mark.parametrize(
    "raw_id", [b"true", b"false", b"{}", b"[1]", b"[" * 300 + b"]" * 300, b'{"id":1}']
)
@pytest.mark.parametrize("rest", [b'"method":"a"', b'"result":1', b'"error":{}'])
def test_an_id_is_a_string_or_a_number(raw_id: bytes, rest: bytes) -> None:
    error = refuse(b'{"id":%b,%b}' % (raw_id, rest))
    assert (error.code, error.raw_id) == (INVALID_REQUEST, None)
    assert str(error) == "An id must be a string or a number."


@pytest.mark.promise("R1")
def test_a_request_with_the_id_null_is_refused() -> None:
    error = refuse(b'{"id":null,"method":"a"}')
    assert (error.code, error.raw_id) == (INVALID_REQUEST, None)
    assert str(error) == "A request must not have the id null."


def test_a_message_prints_without_its_params() -> None:
    assert str(parse_message(request(b'"params"', b'"secret"'))) == "x/y 7"
    assert str(parse_message(b'{"id":"a","error":1}')) == 'response "a"'
    assert str(parse_message(b'{"id":1,"result":"secret"}')) == "response 1"


# --------------------------------------------------------------------- what is not a message


@pytest.mark.promise("R1")
@pytest.mark.parametrize(
    ("raw", "sentence", "raw_id"),
    [
        (b"", "it breaks off (byte 0)", None),
        (b"   ", "it breaks off (byte 3)", None),
        (b"{", "it breaks off (byte 1)", None),
        (b'{"id":7,"method":"x"', "it breaks off (byte 20)", b"7"),
        (b'{"id":7', "it breaks off (byte 7)", None),
        (b'{"id":7,"method":"x","a":"b', "it breaks off (byte 27)", b"7"),
        (b'{"id":7,"method":"x"}}', "trailing characters (byte 22)", b"7"),
        (b'{"id":7,"method":"x"} {}', "trailing characters (byte 23)", b"7"),
        (b'{"id":7,"method":"x"}\0', "trailing characters (byte 22)", b"7"),
        (b"\0", "invalid character (byte 0)", None),
        (b"hello", "invalid character (byte 0)", None),
        (b"{'id':7}", "object keys must be strings (byte 1)", None),
        (b'{"id":7,"method":"x","a":NaN}', "invalid character (byte 25)", b"7"),
        (b'{"id":7,"method":"x","a":[Infinity]}', "invalid character (byte 26)", b"7"),
        (b'{"id":7,"method":"x","a":-Infinity}', "invalid character (byte 26)", b"7"),
        (b'{"id":7,"method":"x","a":01}', "invalid number (byte 26)", b"7"),
        (b'{"id":7,"method":"x","a":"\x01"}', "invalid character (byte 26)", b"7"),
        (b'{"id":7,"method":"x","a":1,}', "trailing comma in object (byte 27)", b"7"),
        (rb'{"id":7,"method":"x","a":"\x"}', "invalid escaped character (byte 27)", b"7"),
        (rb'{"id":7,"a":"\ud8zz"}', "invalid character in unicode escape (byte 18)", b"7"),
        (rb'{"id":7,"a":"\ud800",}', "trailing comma in object (byte 21)", b"7"),
        (b'{"id":01,"method":"x"}', "invalid number (byte 7)", None),
        (b'{"id":"a\tb","method":"x"}', "invalid character (byte 8)", None),
        (b'{"id":NaN,"method":"x"}', "invalid character (byte 6)", None),
        (b'{"params":{"id":1},"a":NaN,"id":7}', "invalid character (byte 23)", b"7"),
        # The last brace is missing: the id at the end is that of `params`.
        (b'{"method":"x","params":{"a":[],"id":5}', "it breaks off (byte 38)", None),
        ('{"id":7}'.encode("utf-16-le"), "object keys must be strings (byte 1)", None),
    ],
)
def test_broken_json_is_refused_with_its_place_and_id(
    raw: bytes, sentence: str, raw_id: bytes | None
) -> None:
    error = refuse(raw)
    assert str(error) == f"The message is not valid JSON: {sentence}."
    assert (error.code, error.raw_id) == (PARSE_ERROR, raw_id)


@pytest.mark.promise("R1")
@pytest.mark.parametrize(
    ("raw", "sentence", "raw_id"),
    [
        (b"null", "The message is not a JSON object.", None),
        (b"1", "The message is not a JSON object.", None),
        (b'"a"', "The message is not a JSON object.", None),
        (rb'"\ud800"', "The message is not a JSON object.", None),
        (b"[]", "The batch is empty.", None),
        (b" [ ] ", "The batch is empty.", None),
        (b"{}", "The message has neither method, result nor error.", None),
        (b'{"id":7}', "The message has neither method, result nor error.", b"7"),
        (b'{"id":7,"method":5}', "`method` must be a string.", b"7"),
        (b'{"id":7,"method":null}', "`method` must be a string.", b"7"),
        (rb'{"id":7,"a":"\ud800","method":{}}', "`method` must be a string.", b"7"),
    ],
)
def test_json_that_is_not_a_message_is_refused(
    raw: bytes, sentence: str, raw_id: bytes | None
) -> None:
    error = refuse(raw)
    assert str(error) == sentence
    assert (error.code, error.raw_id) == (INVALID_REQUEST, raw_id)


DEEP = 1_000_000
"""Brackets inside each other: Python 3.14 reads a hundred thousand."""


@pytest.mark.promise("R1")
@pytest.mark.parametrize(
    "nested",
    [b"[" * DEEP + b"]" * DEEP, b'{"a":' * DEEP + b"1" + b"}" * DEEP, b"[" * DEEP],
    ids=["arrays", "objects", "unclosed"],
)
def test_nesting_beyond_all_measure_is_an_error_and_not_a_crash(nested: bytes) -> None:
    error = refuse(b'{"id":7,"method":"x","params":%b}' % nested)
    assert str(error) == "The message is nested too deeply."
    assert (error.code, error.raw_id) == (PARSE_ERROR, b"7")
    batch = refuse(b"[%b]" % nested)
    assert (str(batch), batch.code) == ("The batch is nested too deeply.", PARSE_ERROR)


@pytest.mark.promise("R1")
@pytest.mark.parametrize(
    ("raw", "reason", "at", "raw_id"),
    [
        (b'{"id":7,"method":"\xff"}', "invalid start byte", 18, b"7"),
        (b'{"params":"\xed\xa0\x80","id":7}', "invalid continuation byte", 11, b"7"),
        (b'{"params":{"id":3,"a":"\xc0\x80"},"id":7}', "invalid start byte", 23, b"7"),
        (b'{"id":"\xff","method":"x"}', "invalid start byte", 7, None),
        (b'{"id":7,"method":"x"}\xe2\x82', "unexpected end of data", 21, b"7"),
        (b"\xfe\xff", "invalid start byte", 0, None),
    ],
)
def test_what_is_not_utf8_is_refused_with_its_place_and_id(
    raw: bytes, reason: str, at: int, raw_id: bytes | None
) -> None:
    error = refuse(raw)
    assert str(error) == f"The message is not UTF-8: {reason} (byte {at})."
    assert (error.code, error.raw_id) == (PARSE_ERROR, raw_id)


@pytest.mark.promise("R8")
@pytest.mark.parametrize("offset", [-3, -2, -1, 0, 1])
def test_utf8_is_checked_across_pieces(offset: int) -> None:
    before = b"x" * (UTF8_PIECE_BYTES + offset)
    check_utf8(before + "😀é".encode())
    with pytest.raises(InvalidMessage) as caught:
        check_utf8(before + b"\xf0\x9f\x98" + b"x")
    assert f"(byte {len(before)})" in str(caught.value)


# ------------------------------------------------------------------------- batches


def messages(raw: bytes) -> list[Message]:
    """The messages of `raw`, all of them good."""
    found = list(parse_messages(raw))
    assert all(isinstance(one, Message) for one in found)
    return [one for one in found if isinstance(one, Message)]


@pytest.mark.promise("R2")
def test_a_batch_is_its_elements_each_with_its_own_bytes() -> None:
    elements = [
        b'{"id":1,"method":"a"}',
        b'{ "method" : "b" }',
        b'{"id":1,"method":"a"}',
        rb'{"result":{"v":1.0,"s":"\ud800"},"id":"\u0061"}',
        '{"error":{"m":"\u2028[,]"},"id":2}'.encode(),
    ]
    for raw in (b"[%b]" % b",".join(elements), b" \t[ %b ]\r\n" % b" ,\n ".join(elements)):
        assert [one.raw for one in messages(raw)] == elements
    assert [one.raw for one in parse_messages(elements[0]) if isinstance(one, Message)] == (
        elements[:1]
    )


@pytest.mark.promise("R1")
def test_a_broken_element_of_a_batch_is_answered_by_its_own_id() -> None:
    raw = (
        b'[1,{"id":5},[],{"id":6,"method":"\xff"},{"id":true,"method":"a"},[[1],[1]],'
        b'{"id":9,"method":"ok"},"[",{"id":8,"method":7}]'
    )
    found = list(parse_messages(raw))
    ids = [one.raw_id for one in found]
    assert ids == [None, b"5", None, b"6", None, None, b"9", None, b"8"]
    assert [isinstance(one, Message) for one in found].index(True) == 6


@pytest.mark.promise("R1")
@pytest.mark.parametrize(
    ("raw", "place"),
    [
        (b'[{"id":1,"method":"a"},', "it breaks off (byte 23)"),
        (b"[1,NaN]", "invalid character (byte 3)"),
        (rb'["\ud800",]', "invalid character (byte 10)"),
        (b"[1]]", "trailing characters (byte 3)"),
    ],
)
def test_a_batch_that_is_not_json_is_one_error(raw: bytes, place: str) -> None:
    error = refuse(raw)
    assert str(error) == f"The batch is not valid JSON: {place}."
    assert (error.code, error.raw_id) == (PARSE_ERROR, None)


# ------------------------------------------------------------------------- ids of what is refused


@pytest.mark.promise("R1")
@pytest.mark.parametrize(
    ("head", "tail", "raw_id"),
    [
        (b'{"jsonrpc":"2.0","id":12,"method":"x","params":{"a":"xx', b'xx"}}', b"12"),
        (b'{"id" : "a-1" ,"params":{', b"}}", b'"a-1"'),
        (b'{"id":-1.5e3,"params":"', b'"}', b"-1.5e3"),
        (rb'{"id":"\u0061\"","params":[', b"]}", rb'"\u0061\""'),
        (b'{"method":"x","params":{"data":"xx', b'xx"}},"jsonrpc":"2.0","id":3}', b"3"),
        (b'{"params":[', b'],"id":"z","jsonrpc":"2.0"}\r\n', b'"z"'),
        (b'{"params":[', b'] , "jsonrpc" : "2.0" , "id" : 4 } ', b"4"),
        (b'{"params":{"id":1},"id":5,"more":[', b"]}", b"5"),
        # Nested ones are others' ids.
        (b'{"params":{"id":1,"a":[', b"]}}", None),
        (b'{"params":{"a":[', b'],"id":5}}', None),
        (b'{"params":[{"id":5},', b'{"id":5}]}', None),
        (b'[{"id":5,"method":"x"},', b'{"id":6}]', None),
        # Texts are not members.
        (rb'{"a":"{\"id\":5,","b":[', b"]}", None),
        (rb'{"a":"x,\"id\":5,\"b\":[', rb'],\"id\":6}"}', None),
        (b'{"a":"id","b":5,"c":["id",', b'"id",5]}', None),
        (b'{"method":"id","params":{', b"}}", None),
        # Cut by the window: not an id that somebody else may have.
        (b'{"id":12', b"34}", None),
        (b'{"id":"12', b'34"}', None),
        (b'{"id":', b"1}", None),
        # Nothing that an answer, which is valid JSON, could carry.
        (b'{"id":01,"a":[', b"]}", None),
        (b'{"id":null,"a":[', b"]}", None),
        (b'{"id":true,"a":[', b"]}", None),
        (b'{"id":NaN,"a":[', b"]}", None),
        (b'{"id":"a\tb","a":[', b"]}", None),
        (b'{"id":"\xff","a":[', b"]}", None),
        (b'{"id":[1],"a":[', b"]}", None),
        (b'{"id":{"id":1},"a":[', b"]}", None),
        (b'{"id" 5,"a":[', b"]}", None),
        (b"", b"", None),
        (b"\0\xff", b"\xff\0", None),
        (b"}}}}", b"]]]]", None),
    ],
)
def test_the_id_of_what_was_not_kept(head: bytes, tail: bytes, raw_id: bytes | None) -> None:
    assert find_id(head, tail) == raw_id


@pytest.mark.promise("R1", "R8")
def test_the_id_of_a_message_larger_than_both_windows() -> None:
    filler = b"x" * (3 * ID_WINDOW_BYTES)
    for raw in (
        b'{"id":7,"method":"x","params":{"a":"%b\xff"}}' % filler,
        b'{"method":"x","params":{"a":"\xff%b"},"jsonrpc":"2.0","id":7}' % filler,
    ):
        assert refuse(raw).raw_id == b"7"


@pytest.mark.promise("R8")
@pytest.mark.parametrize(
    "unit", [b'"', b'\\"', b'},"', b"}", b'{"id"', b'"id":', b"] ,", b'},"a":1', b" ", b"\\"]
)
@pytest.mark.timeout(10)
def test_the_search_for_an_id_ends_soon_whatever_it_reads(unit: bytes) -> None:
    window = (unit * ID_WINDOW_BYTES)[:ID_WINDOW_BYTES]
    assert find_id(window, window) is None
    assert find_id(b'{"a":"' + window, b"]" + window) is None


@pytest.mark.promise("R1")
@given(st.binary(max_size=40))
def test_any_bytes_are_messages_or_errors_that_can_be_answered(raw: bytes) -> None:
    try:
        found = list(parse_messages(raw))
    except InvalidMessage as error:
        found = [error]
    for one in found:
        if isinstance(one, InvalidMessage):
            answer = json.loads(make_error(one.raw_id, one.code, one.cause).raw)
            assert isinstance(answer["id"], str | int | float | None)


# ------------------------------------------------------------------------- any message, any layout

texts = st.text() | st.lists(st.sampled_from('\ud800\udbff\udc00\udfff\\u"')).map("".join)
"""Also with surrogates, lone and side by side."""

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
ids = (
    st.integers()
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=True)
)
separators = st.sampled_from([(",", ":"), (" , ", "\t: ")])
indents = st.sampled_from([None, 2, "\r\n\t"])
members = st.dictionaries(
    st.text().filter(lambda name: name not in {"id", "method", "result", "error", "params"}),
    json_values,
    max_size=3,
)


@st.composite
def written_messages(draw: st.DrawFn) -> tuple[dict[str, Any], bytes]:
    message = draw(members)
    kind = draw(st.sampled_from(Kind))
    if kind is Kind.RESPONSE:
        message |= {"id": draw(ids), draw(st.sampled_from(["result", "error"])): draw(json_values)}
    else:
        message |= {"method": draw(st.text()), "params": draw(json_values)}
        if kind is Kind.REQUEST:
            message["id"] = draw(ids)
    shuffled = draw(st.permutations(list(message.items())))
    layout, indent, escaped = draw(separators), draw(indents), draw(st.booleans())
    text = json.dumps(dict(shuffled), separators=layout, indent=indent, ensure_ascii=escaped)
    if any("\ud800" <= one <= "\udfff" for one in text):  # they can only be written as escapes
        text = json.dumps(dict(shuffled), separators=layout, indent=indent)
    return message, text.encode()


@pytest.mark.promise("R2")
@given(written_messages())
def test_any_message_in_any_layout_comes_back(written: tuple[dict[str, Any], bytes]) -> None:
    members, raw = written
    message = parse_message(raw)
    assert message.raw == raw.replace(b"\n", b" ").replace(b"\r", b" ")
    assert len(message.raw) == len(raw)
    assert message.method == members.get("method", "")
    if "id" in members:
        assert message.key == members["id"]
        assert json.loads(message.raw_id) == members["id"]
        assert message.raw_id in raw
        expected = Kind.REQUEST if "method" in members else Kind.RESPONSE
        assert message.kind is expected
    else:
        assert message.kind is Kind.NOTIFICATION
    for name, part in (
        ("params", message.params),
        ("result", message.result),
        ("error", message.error),
    ):
        assert (part != b"") == (name in members)
        assert b"\n" not in part
        if name in members:
            assert json.loads(part) == mend(members[name])


def mend(value: Any) -> Any:
    """`value` with U+FFFD for lone surrogates."""
    if isinstance(value, str):
        # A high and a low one side by side are written as the pair that means one character.
        paired = value.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
        return "".join("\ufffd" if "\ud800" <= one <= "\udfff" else one for one in paired)
    if isinstance(value, list):
        return [mend(one) for one in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {name: mend(one) for name, one in cast("dict[str, Any]", value).items()}
    return value


@pytest.mark.promise("R2")
@given(st.lists(written_messages(), min_size=1, max_size=4))
def test_any_batch_is_its_elements(written: list[tuple[dict[str, Any], bytes]]) -> None:
    raw = b"[%b]" % b" ,".join(raw for _, raw in written)
    singles = [parse_message(raw) for _, raw in written]
    assert [one.raw for one in messages(raw)] == [one.raw for one in singles]


# ------------------------------------------------------------------------- our own lines


@given(st.none() | st.sampled_from([b"1", b'"a"', rb'"\ud800"']), st.integers(-40000, 0), texts)
def test_an_error_answer_is_one_line_of_json(raw_id: bytes | None, code: int, text: str) -> None:
    line = make_error(raw_id, code, text).raw
    assert len(line.decode().splitlines()) == 1
    answer = json.loads(line)
    assert answer["jsonrpc"] == "2.0"
    assert answer["id"] == json.loads(raw_id or b"null")
    assert answer["error"]["code"] == code
    assert answer["error"]["message"].isprintable()
    assert parse_message(line).is_error


def test_an_error_answer_says_what_it_is_given() -> None:
    line = make_error(b"1", -32600, 'größer "so"\nnext').raw
    assert line == (
        '{"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"größer \\"so\\" next"}}'.encode()
    )
    assert b'"id":null' in make_error(None, 1, "").raw
    assert b'"id":null' in make_error(b"", 1, "").raw


def read(value: object) -> object:
    """What a reader of JSON gets, in which a pair of surrogates is one character."""
    return json.loads(json.dumps(value))


@given(texts, json_values)
def test_our_own_messages_are_one_line_each(method: str, value: object) -> None:
    params = json.dumps(value).encode()
    messages = [
        make_request(b'"q"', method, params),
        make_request(b'"q"', method),
        make_notification(method, params),
        make_notification(method),
        make_result(b'"q"', params),
    ]
    kinds = [
        Kind.REQUEST,
        Kind.REQUEST,
        Kind.NOTIFICATION,
        Kind.NOTIFICATION,
        Kind.RESPONSE,
    ]
    for message, kind in zip(messages, kinds, strict=True):
        line = message.raw
        assert len(line.splitlines()) == 1
        assert json.loads(line)["jsonrpc"] == "2.0"
        again = parse_message(line)
        assert again.kind is message.kind is kind
        assert again.key == message.key
        assert mend_surrogates(message.params) == again.params
        assert mend_surrogates(message.result) == again.result
        assert again.size == message.size
        assert json.loads(line).get("method", read(method)) == read(method)
    decoded = [json.loads(message.raw) for message in messages]
    assert decoded[0]["params"] == decoded[2]["params"] == read(value)
    assert "params" not in decoded[1]
    assert "params" not in decoded[3]


@pytest.mark.promise("R2")
@pytest.mark.parametrize(
    ("raw", "line"),
    [
        (
            b'{"extra":1.0, "result":{"a":1},"id":1,\n"jsonrpc":"2.0"}',
            b'{"extra":1.0,"result":{"b":2},"id":1,"jsonrpc":"2.0"}',
        ),
        (rb'{"id":"\ud800","result":0}', rb'{"id":"\ud800","result":{"b":2}}'),
        (b'{"result":0}', b'{"result":{"b":2},"id":null}'),
    ],
)
def test_another_result_leaves_the_other_members(raw: bytes, line: bytes) -> None:
    other = parse_message(raw).with_result({"b": msgspec.Raw(b"2")})
    assert other.raw == line
    assert other.result == b'{"b":2}'


# ------------------------------------------------------------------ batches, and how large


NOTICE = b'{"jsonrpc":"2.0","method":"x"}'


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
        (b"[" + b"0," * 100_000 + b"0]", f"more than {MAX_BATCH} messages"),
        (b'["' + b"x" * MAX_BATCH_BYTES + b'"]', "larger than"),
        (b" " * 1000 + b"[" + b"[]," * 100_000 + b"0]", "messages"),
    ],
)
def test_a_larger_one_is_refused_as_a_whole(raw: bytes, words: str) -> None:
    with pytest.raises(InvalidMessage) as caught:
        list(parse_messages(raw))
    assert words in caught.value.cause


# ------------------------------------------------------------------ long messages, in steps


def read_in_steps(raw: bytes) -> tuple[list[Message], int]:
    read = list(read_messages(raw))
    return [one for one in read if isinstance(one, Message)], read.count(None)


@pytest.mark.promise("R1", "R8")
@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8], ids=["bare", "marked"])
@pytest.mark.parametrize("layout", [b" ", b"\n", b"\r\n "], ids=["line", "LF", "CR LF"])
def test_a_long_message_is_read_in_steps_to_what_a_short_one_is(mark: bytes, layout: bytes) -> None:
    def spell(size: int) -> bytes:
        value = b'{"text":%b"%b\\ud83d\\ude00%b"}' % (
            layout,
            "é".encode() * (size // 2),
            b"x" * size,
        )
        return mark + b'{"id":%b"a",%b"result":%b%b%b}' % (layout, layout, layout, value, layout)

    ((short,), no_steps), ((long,), steps) = map(read_in_steps, (spell(10), spell(LONG_BYTES)))
    assert no_steps == 0
    assert steps > 2 * LONG_BYTES // SURVEY_BYTES
    assert (long.kind, long.key, long.raw_id) == (short.kind, short.key, short.raw_id)
    for message, size in ((short, 10), (long, LONG_BYTES)):
        expected = parse_message(spell(size))
        assert message.raw == expected.raw
        assert b"\n" not in message.raw
        assert message.result == expected.result


@pytest.mark.promise("R1")
def test_a_long_message_with_lone_surrogates_is_passed_on_and_can_be_read() -> None:
    text = rb"\ud800 x" * (MAX_MENDED_AT_ONCE // 4)
    raw = b'{"id":1,"a":"\\ude00","result":"%b"}' % text
    ((message,), steps) = read_in_steps(raw)
    assert message.raw == raw
    assert message.result == b'"%b"' % text.replace(rb"\ud800", rb"\ufffd")
    assert steps > 10


@pytest.mark.promise("R1")
@pytest.mark.parametrize(
    ("text", "words", "raw_id"),
    [
        (b'{"id":7,"result":"%b', "it breaks off (byte", b"7"),
        (b'{"id":7,"result":[1 2],"a":"%b"}', "expected ',' or ']' (byte 20)", b"7"),
        (b'{"id":7,"result":"\xff%b"}', "not UTF-8: invalid start byte (byte 18)", b"7"),
        (b'"%b"', "not a JSON object", None),
        (b'{"a":"%b"}', "neither method, result nor error", None),
        (b'{"id":[1],"result":"%b"}', "An id must be a string or a number", None),
    ],
)
def test_a_long_text_that_is_not_a_message_is_refused(
    text: bytes, words: str, raw_id: bytes | None
) -> None:
    with pytest.raises(InvalidMessage) as caught:
        read_in_steps(text % (b"x" * LONG_BYTES))
    assert words in caught.value.cause
    assert caught.value.raw_id == raw_id


@pytest.mark.promise("R1", "R2")
@pytest.mark.parametrize(
    "line",
    [
        b'{"jsonrpc":"2.0","result":{"content":[{"type":"text","text":"%b"}],'
        rb'"structuredContent":{"t":"abc\ud83d"}},"id":7}',
        b'{"id":7,"method":"x","params":{"arguments":{"text":"%b","o":{"a":"\\ud83d"}},"_":1}}',
        rb'{"result":{"x\ud800":1,"y":"%b"},"id":7}',
    ],
)
def test_a_long_message_is_read_as_its_short_twin(line: bytes) -> None:
    short = parse_message(line % b"x")
    ((long,), _) = read_in_steps(line % (b"x" * MAX_MENDED_AT_ONCE))
    assert long.raw == line % (b"x" * MAX_MENDED_AT_ONCE)
    assert (long.key, long.kind, long.method) == (short.key, short.kind, short.method)
    assert list(long.members) == list(short.members)
    assert list(long.arguments) == list(short.arguments)
    assert long.payload_names() == short.payload_names()


@pytest.mark.parametrize(
    ("raw_id", "key"),
    [(b"1" * 5000, b"1" * 5000), (b"0", 0), (b"12", 12), (b"1.0", 1), (b'"1"', "1")],
)
def test_an_id_is_read_whatever_its_length(raw_id: bytes, key: object) -> None:
    message = parse_message(b'{"id":%b,"method":"x"}' % raw_id)
    assert (message.raw_id, message.key) == (raw_id, key)


# ------------------------------------------------------------------------- another result


@pytest.mark.promise("R2")
@pytest.mark.parametrize("size", [1, SHORT_BYTES + 1])
@pytest.mark.parametrize(
    "line",
    [
        '{{"a":1.0, "id":1 ,"result": {0} ,"b":[]}}',
        '{{"a":{0},"result":{0},"id":1}}',
        '{{"result":{0},"id":1,"a":{0}}}',
        '{{"result":{0},"result":{0},"id":1}}',
        '{{"result":null,"id":1,"result":{0}}}',
    ],
)
def test_another_result_leaves_all_other_members(line: str, size: int) -> None:
    """Also where the same is in another member, or there twice."""
    text = line.format(json.dumps({"x": "y" * size}))
    changed = parse_message(text.encode()).with_result({"z": msgspec.Raw(b"1.0")})
    assert json.loads(changed.raw) == {**json.loads(text), "result": {"z": 1.0}}
    assert changed.names() == list(json.loads(text))
    assert b"1.0" in changed.raw


@pytest.mark.report("T6")
@pytest.mark.parametrize(
    ("said", "asked", "found"),
    [
        (b'"7"', {7}, b"7"),
        (b"7", {"7"}, b'"7"'),
        (b'"7"', {7, "7"}, b'"7"'),
        (b"7", {7, "7"}, b"7"),
        (b'"07"', {7}, b'"07"'),
        ('"\u0667"'.encode(), {7}, '"\u0667"'.encode()),
        (b'"7.0"', {7}, b'"7.0"'),
        (b'"%b"' % (b"9" * 5000), {7}, b'"%b"' % (b"9" * 5000)),
        (b"null", {None, "None"}, b"null"),
        (b'"8"', {7}, b'"8"'),
        (b"1.5", {"1.5"}, b"1.5"),
    ],
)
def test_a_response_is_found_whose_id_has_lost_its_type(
    said: bytes, asked: set[object], found: bytes
) -> None:
    response = parse_message(b'{"jsonrpc":"2.0","id":%b,"result":{"v":1.0}}' % said)
    same = find_asked(response, asked)
    assert same.raw == b'{"jsonrpc":"2.0","id":%b,"result":{"v":1.0}}' % found
    assert (same is response) is (said == found)


@pytest.mark.report("T6")
@pytest.mark.parametrize("spelled", [b'"server-error"', b'""', b"null"])
def test_an_error_from_before_the_id_was_read_has_none(spelled: bytes) -> None:
    error = parse_message(
        b'{"jsonrpc":"2.0","id":%b,"error":{"code":-32600,"message":"m"}}' % spelled
    )
    assert error.names_no_request
    assert error.is_error


@pytest.mark.report("T6")
def test_a_result_has_the_id_that_it_names() -> None:
    result = parse_message(b'{"jsonrpc":"2.0","id":"server-error","result":{}}')
    assert result.key == "server-error"
    assert not result.names_no_request


@pytest.mark.parametrize("spelled", [b'"server-error"', b'""'])
def test_an_error_to_a_request_of_that_id_is_its_answer(spelled: bytes) -> None:
    """A server may call its own request so, and the host may refuse it."""
    error = parse_message(b'{"jsonrpc":"2.0","id":%b,"error":{"code":1,"message":"m"}}' % spelled)
    request = parse_message(b'{"jsonrpc":"2.0","id":%b,"method":"roots/list"}' % spelled)
    assert error.key == request.key
    assert find_asked(error, {request.key}) is error
