"""The era of a server is judged by what only one era says; an outage is never a verdict.

The SDK is the judge of what a server of the modern era answers.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp.shared.inbound import ERROR_CODE_HTTP_STATUS
from mcp_types import jsonrpc as sdk

from mcp_remote_py.eras import era_detection
from mcp_remote_py.eras.era_detection import (
    Era,
    error_code,
    is_modern_error,
    judge_discovery,
    judge_failure,
    judge_greeting,
    supported_versions,
)
from mcp_remote_py.errors import (
    ExchangeError,
    Interrupted,
    NotSent,
    Refused,
    SessionLost,
    Unusable,
    WrongEra,
)
from mcp_remote_py.jsonrpc import Message, make_error
from mcp_remote_py.parsing import parse_message
from mcp_remote_py.versions import HANDSHAKE_VERSIONS

MODERN_LIST = b'["2025-11-25","2026-07-28"]'
LEGACY_LIST = b'["2025-06-18","2025-11-25"]'


def answer_with(result: bytes) -> Message:
    return parse_message(b'{"jsonrpc":"2.0","id":1,"result":%b}' % result)


def fail_with(error: bytes) -> Message:
    return parse_message(b'{"jsonrpc":"2.0","id":1,"error":%b}' % error)


def unsupported(supported: bytes, code: int = -32022) -> Message:
    return fail_with(b'{"code":%d,"message":"m","data":{"supported":%b}}' % (code, supported))


def test_the_codes_are_those_of_the_sdk() -> None:
    assert era_detection.HEADER_MISMATCH == sdk.HEADER_MISMATCH
    assert era_detection.MISSING_CAPABILITY == sdk.MISSING_REQUIRED_CLIENT_CAPABILITY
    assert era_detection.UNSUPPORTED_VERSION == sdk.UNSUPPORTED_PROTOCOL_VERSION


# ------------------------------------------------------------------------- reading


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (b'{"code":-32022,"message":"m","data":{"supported":[]}}', -32022),
        (b'{"message":"m","code":5}', 5),
        (b"{}", 0),
        (b'{"code":"-32022"}', 0),
        (b'{"code":null}', 0),
        (b'{"code":1.5}', 0),
        (b"[-32022]", 0),
        (b"null", 0),
        (b'"invalid_token"', 0),
    ],
)
def test_an_error_without_a_code_has_the_code_of_none(error: bytes, code: int) -> None:
    assert error_code(fail_with(error)) == code


def test_a_result_has_the_code_of_none() -> None:
    assert error_code(answer_with(b'{"code":-32022}')) == 0


@pytest.mark.parametrize(
    ("answer", "versions"),
    [
        (answer_with(b'{"supportedVersions":["2026-07-28","x"],"a":1.0}'), ["2026-07-28", "x"]),
        (answer_with(b'{"supportedVersions":[]}'), []),
        (answer_with(b'{"supportedVersions":["2026-07-28",5]}'), []),
        (answer_with(b'{"supportedVersions":"2026-07-28"}'), []),
        (answer_with(b'{"supported":["2026-07-28"]}'), []),
        (answer_with(b"{}"), []),
        (answer_with(b"[]"), []),
        (unsupported(MODERN_LIST), ["2025-11-25", "2026-07-28"]),
        (unsupported(b"[]"), []),
        (unsupported(b'"2026-07-28"'), []),
        (unsupported(b"[null]"), []),
        (fail_with(b'{"code":-32022,"message":"m"}'), []),
        (fail_with(b'{"code":-32022,"data":null}'), []),
        (fail_with(b'{"code":-32022,"data":["2026-07-28"]}'), []),
        (fail_with(b'{"code":-32022,"data":{"supportedVersions":["2026-07-28"]}}'), []),
        (fail_with(b'"2026-07-28"'), []),
    ],
)
def test_the_versions_a_server_says_it_speaks(answer: Message, versions: list[str]) -> None:
    assert supported_versions(answer) == versions


# ------------------------------------------------------------------------- modern errors


@pytest.mark.parametrize(
    ("code", "modern"),
    [
        (-32020, True),
        (-32022, True),
        (-32099, True),
        (-32042, False),
        (-32019, False),
        (-32000, False),
        (-32001, False),
        (-32100, False),
        (-32600, False),
        (-32601, False),
        (0, False),
    ],
)
def test_codes_that_only_a_modern_server_sends(code: int, modern: bool) -> None:
    assert is_modern_error(make_error(b"1", code, "x").raw) is modern
    assert is_modern_error(make_error(None, code, "x").raw) is modern


def test_a_modern_error_whose_message_was_cut_in_an_emoji_is_one() -> None:
    assert is_modern_error(rb'{"id":1,"error":{"code":-32020,"message":"\ud83d"}}')


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<html>-32020</html>",
        b'{"id":1,"result":{"code":-32020}}',
        b'{"error":-32020}',
        b'{"error":{}}',
        b'{"error":{"code":"-32020"}}',
        b'{"error":null}',
        b'{"error":"invalid_token","code":-32020}',
        b'[{"error":{"code":-32020}}]',
        b"[" * 1_000_000,
        b'{"error":{"code":-32020,"data":' + b"[" * 1_000_000 + b"]" * 1_000_000 + b"}}",
    ],
)
def test_anything_else_is_not_a_modern_error(answer: bytes) -> None:
    assert is_modern_error(answer) is False


# ------------------------------------------------------------------------- answers


@pytest.mark.promise("E1", "E2")
@pytest.mark.parametrize(
    ("result", "era"),
    [
        *[
            (b'{"protocolVersion":"%b"}' % one.encode(), Era.LEGACY)
            for one in sorted(HANDSHAKE_VERSIONS)
        ],
        (b'{"protocolVersion":"2026-07-28"}', Era.MODERN),
        (b'{"protocolVersion":"2099-01-01"}', Era.MODERN),
        (b'{"protocolVersion":"2024-10-07"}', Era.LEGACY),
        (b'{"protocolVersion":"next"}', Era.LEGACY),
        (b'{"protocolVersion":20260728}', Era.LEGACY),
        (b'{"protocolVersion":null}', Era.LEGACY),
        (b'{"supportedVersions":["2026-07-28"]}', Era.LEGACY),
        (b"{}", Era.LEGACY),
        (b"[]", Era.LEGACY),
        (b"null", Era.LEGACY),
    ],
)
def test_who_takes_a_handshake_is_legacy_unless_it_agrees_on_a_modern_revision(
    result: bytes, era: Era
) -> None:
    assert judge_greeting(answer_with(result)) is era


@pytest.mark.promise("E1", "E2")
@pytest.mark.parametrize("code", [-32601, -32602, -32022, -32020, -32000, -32603, 0])
def test_a_handshake_that_is_not_taken_says_nothing_yet(code: int) -> None:
    assert judge_greeting(make_error(b"1", code, "x")) is Era.UNKNOWN


@pytest.mark.promise("E1", "E2", "E3")
@pytest.mark.parametrize(
    ("answer", "era"),
    [
        (answer_with(b'{"supportedVersions":%b}' % MODERN_LIST), Era.MODERN),
        (answer_with(b'{"supportedVersions":["2099-01-01"]}'), Era.MODERN),
        (answer_with(b'{"supportedVersions":%b}' % LEGACY_LIST), Era.LEGACY),
        (answer_with(b'{"supportedVersions":[]}'), Era.LEGACY),
        (answer_with(b"{}"), Era.LEGACY),
        (answer_with(b"null"), Era.LEGACY),
        (unsupported(MODERN_LIST), Era.MODERN),
        (unsupported(b'["2099-01-01"]'), Era.MODERN),
        (unsupported(MODERN_LIST, -32602), Era.MODERN),
        (unsupported(LEGACY_LIST), Era.LEGACY),
        (unsupported(LEGACY_LIST, -32000), Era.LEGACY),
        (unsupported(b'["2025-11-25","next"]'), Era.MODERN),
        (unsupported(b'["2025-11-25","next"]', -32000), Era.LEGACY),
        (unsupported(b"[]"), Era.MODERN),
        (fail_with(b'{"code":-32022,"message":"m"}'), Era.MODERN),
        (fail_with(b'{"code":-32020,"message":"m"}'), Era.MODERN),
        (fail_with(b'{"code":-32021,"message":"m"}'), Era.MODERN),
        (fail_with(b'{"code":-32601,"message":"m"}'), Era.LEGACY),
        (fail_with(b'{"code":-32602,"message":"m"}'), Era.LEGACY),
        (fail_with(b'{"code":-32600,"message":"m"}'), Era.LEGACY),
        (fail_with(b'{"code":-32000,"message":"m"}'), Era.LEGACY),
        (fail_with(b'{"code":-32042,"message":"m"}'), Era.LEGACY),
        (fail_with(b'{"code":0,"message":"m"}'), Era.LEGACY),
        (fail_with(b'"no"'), Era.LEGACY),
    ],
)
def test_who_answers_a_discovery_is_what_it_says_or_what_it_cannot_know(
    answer: Message, era: Era
) -> None:
    assert judge_discovery(answer) is era


# ------------------------------------------------------------------------- failures

OUTAGES = [None, 401, 403, 408, 425, 429, 500, 502, 503, 504, 301]
CONCRETE = [NotSent, Refused, SessionLost, Interrupted, Unusable]


def fail(kind: type[ExchangeError], status: int | None, code: int | None) -> ExchangeError:
    body = None if code is None else make_error(b"1", code, "x").raw
    return kind("x", status=status, body=body)


@pytest.mark.promise("E1", "E3")
@pytest.mark.parametrize("kind", CONCRETE)
@pytest.mark.parametrize("status", OUTAGES)
@pytest.mark.parametrize("code", [None, -32601, -32602, -32603, -32600, -32000, -32042, 0])
def test_an_outage_or_a_sign_in_is_not_a_verdict(
    kind: type[ExchangeError], status: int | None, code: int | None
) -> None:
    assert judge_failure(fail(kind, status, code)) is Era.UNKNOWN


@pytest.mark.promise("E1", "E3")
@pytest.mark.parametrize("kind", CONCRETE)
@pytest.mark.parametrize("status", [*OUTAGES, 400, 404, 200])
@pytest.mark.parametrize("code", [-32020, -32021, -32022, -32099])
def test_an_error_that_only_the_modern_era_knows_is_a_verdict_with_any_status(
    kind: type[ExchangeError], status: int | None, code: int
) -> None:
    assert judge_failure(fail(kind, status, code)) is Era.MODERN


@pytest.mark.promise("E1")
@pytest.mark.parametrize("status", [400, 404])
@pytest.mark.parametrize("code", [sdk.METHOD_NOT_FOUND, sdk.INVALID_PARAMS, sdk.INTERNAL_ERROR])
def test_who_refuses_a_method_or_its_params_understood_the_request(status: int, code: int) -> None:
    assert judge_failure(fail(Refused, status, code)) is Era.MODERN


@pytest.mark.promise("E1")
@pytest.mark.parametrize(
    ("code", "status"),
    [
        (code, status)
        for code, status in ERROR_CODE_HTTP_STATUS.items()
        if code not in (sdk.PARSE_ERROR, sdk.INVALID_REQUEST)
    ],
)
def test_what_the_sdk_refuses_a_proper_request_with_is_modern(code: int, status: int) -> None:
    assert judge_failure(fail(Refused, status, code)) is Era.MODERN


@pytest.mark.promise("E1", "E3")
@pytest.mark.parametrize("status", [200, 400, 404, 405, 406, 410, 411, 415, 501])
@pytest.mark.parametrize("code", [None, sdk.INVALID_REQUEST, sdk.PARSE_ERROR, -32000, -32042, 0])
def test_who_cannot_place_a_request_is_legacy(status: int, code: int | None) -> None:
    assert judge_failure(fail(Unusable, status, code)) is Era.LEGACY


@pytest.mark.promise("E1", "E3")
@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b'{"error":"invalid_token","id":1}'])
def test_a_body_that_is_not_an_error_of_the_protocol_is_not_a_sign_of_a_modern_server(
    body: bytes,
) -> None:
    assert judge_failure(Refused("x", status=404, body=body)) is Era.LEGACY
    assert judge_failure(Refused("x", status=503, body=body)) is Era.UNKNOWN


@pytest.mark.promise("E3")
@pytest.mark.parametrize("status", [None, 200, 404, 503])
@pytest.mark.parametrize("code", [None, -32022, -32601])
def test_the_transport_of_2024_is_legacy_whatever_else_is_said(
    status: int | None, code: int | None
) -> None:
    assert judge_failure(fail(WrongEra, status, code)) is Era.LEGACY


@given(
    st.sampled_from([*CONCRETE, WrongEra, ExchangeError]),
    st.none() | st.integers(100, 599),
    st.none() | st.integers(-33000, 1000),
)
def test_every_failure_has_a_verdict_and_only_a_status_of_the_table_is_legacy(
    kind: type[ExchangeError], status: int | None, code: int | None
) -> None:
    era = judge_failure(fail(kind, status, code))
    if kind is WrongEra:
        assert era is Era.LEGACY
    elif era is not Era.MODERN:
        assert (era is Era.LEGACY) is (status in era_detection.MISMATCH_STATUS)


@pytest.mark.parametrize(
    ("word", "era"), [("", Era.UNKNOWN), ("legacy", Era.LEGACY), ("modern", Era.MODERN)]
)
def test_what_earlier_runs_remembered_of_a_server_is_read(word: str, era: Era) -> None:
    assert Era(word) is era


@pytest.mark.parametrize("number", [b"1e999", b"9" * 5000])
def test_a_number_nobody_can_build_hides_no_code(number: bytes) -> None:
    assert is_modern_error(b'{"id":1,"error":{"code":-32020,"message":"m","data":%b}}' % number)
