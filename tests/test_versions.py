"""Every revision is of one era; what is not a revision is of none. The SDK is the judge."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp_types import version as sdk

from mcp_remote_py.versions import (
    HANDSHAKE_VERSIONS,
    MODERN,
    NEWEST_HANDSHAKE,
    choose_handshake,
    is_modern,
)


def test_the_revisions_are_those_of_the_sdk() -> None:
    assert frozenset(sdk.HANDSHAKE_PROTOCOL_VERSIONS) == HANDSHAKE_VERSIONS
    assert sdk.LATEST_HANDSHAKE_VERSION == NEWEST_HANDSHAKE
    assert sdk.LATEST_MODERN_VERSION == MODERN


@pytest.mark.parametrize("version", sdk.KNOWN_PROTOCOL_VERSIONS)
def test_a_revision_without_a_handshake_is_modern(version: str) -> None:
    assert is_modern(version) is (version not in sdk.HANDSHAKE_PROTOCOL_VERSIONS)


@pytest.mark.parametrize("version", ["2026-07-29", "2027-01-01", "9999-12-31", "2025-11-26"])
def test_a_later_date_than_all_handshakes_is_modern(version: str) -> None:
    assert is_modern(version)


@pytest.mark.parametrize("version", ["2024-10-07", "2025-11-24", "0000-00-00", "1999-12-31"])
def test_an_older_date_is_not_modern(version: str) -> None:
    assert not is_modern(version)


@pytest.mark.parametrize(
    "version",
    [
        "",
        "zzz",
        "DRAFT-2026-v1",
        "2026-07-28-rc1",
        "v2026-07-28",
        "2026-07-28\n",
        " 2026-07-28",
        "2026-7-28",
        "2026/07/28",
        "20260728",
        "12026-07-28",
        "3",
    ],
)
def test_a_word_that_is_not_a_date_is_not_a_revision(version: str) -> None:
    assert not is_modern(version)


@pytest.mark.promise("E2")
@pytest.mark.parametrize("version", sdk.HANDSHAKE_PROTOCOL_VERSIONS)
def test_a_handshake_gets_the_revision_it_asks_for(version: str) -> None:
    assert choose_handshake(version) == version


@pytest.mark.promise("E2")
@pytest.mark.parametrize("wanted", ["2026-07-28", "2024-10-07", "2099-01-01", "", "x"])
def test_a_handshake_that_asks_for_another_gets_the_newest(wanted: str) -> None:
    assert choose_handshake(wanted) == sdk.LATEST_HANDSHAKE_VERSION


@given(st.text() | st.dates().map(str))
def test_whatever_is_asked_for_the_answer_is_a_revision_with_a_handshake(wanted: str) -> None:
    assert choose_handshake(wanted) in sdk.HANDSHAKE_PROTOCOL_VERSIONS
    assert not is_modern(choose_handshake(wanted))


@pytest.mark.parametrize("version", ["２０２６-07-28", "2026-07-2８", "٢٠٢٦-٠٧-٢٨"])  # noqa: RUF001
def test_digits_of_other_scripts_make_no_revision(version: str) -> None:
    assert not is_modern(version)
