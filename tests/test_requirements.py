"""Every promise has a test, and every test that names a promise or a report names one there is.

Must not import any test.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.marks import collect, marked_in
from tests.reports import REPORTS
from tests.requirements import PROMISES

KNOWN: Mapping[str, Mapping[str, object]] = {"promise": PROMISES, "report": REPORTS}


@pytest.mark.parametrize("mark", KNOWN)
def test_every_id_has_a_test(mark: str) -> None:
    unproven = sorted(KNOWN[mark].keys() - collect(mark).keys())
    assert not unproven, f"no test carries pytest.mark.{mark} for {unproven}"


@pytest.mark.parametrize("mark", KNOWN)
def test_every_named_id_is_known(mark: str) -> None:
    unknown = {name: files for name, files in collect(mark).items() if name not in KNOWN[mark]}
    assert not unknown, f"pytest.mark.{mark} names what there is not: {unknown}"


def test_every_promise_has_a_sentence_and_a_source() -> None:
    for name, promise in PROMISES.items():
        assert promise.text.endswith("."), name
        assert promise.source, name


def test_marks_are_found_where_pytest_finds_them_and_nowhere_else() -> None:
    source = """
pytestmark = [pytest.mark.promise("in-list")]
@pytest.mark.promise("one", "two")
def test_function(): ...
@pytest.mark.promise("class")
class TestCase:
    @other
    @pytest.mark.promise(NOT_A_LITERAL)
    async def test_method(self): ...
@pytest.mark.promise("helper")
def helper(): ...
"not a mark: pytest.mark.promise('text')"
"""
    found = {"in-list", "one", "two", "class", "NOT_A_LITERAL"}
    assert set(marked_in(source, "promise")) == found
