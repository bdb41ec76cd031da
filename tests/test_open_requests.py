"""Whoever takes an entry out answers it: nobody else can, and nothing is lost."""

from __future__ import annotations

import pytest
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from hypothesis.strategies import sampled_from

from mcp_remote_py.open_requests import OpenRequests


@pytest.mark.promise("R1")
def test_an_open_request_is_closed_by_exactly_one() -> None:
    ledger: OpenRequests[str] = OpenRequests()
    assert ledger.open("a", "first")
    assert "a" in ledger
    assert ledger.find("a") == "first"
    assert ledger.close("a") == "first"
    assert ledger.close("a") is None
    assert ledger.find("a") is None
    assert "a" not in ledger


@pytest.mark.promise("R1")
def test_an_id_that_is_open_is_not_opened_again() -> None:
    ledger: OpenRequests[str] = OpenRequests()
    assert ledger.open(1, "first")
    assert not ledger.open(1, "second")
    assert not ledger.open(1.0, "the same id")
    assert ledger.open("1", "another id")
    assert ledger.close(1) == "first"
    assert ledger.open(1, "third")


def test_all_can_be_closed_while_they_are_walked_through() -> None:
    ledger: OpenRequests[int] = OpenRequests()
    for key in (3, 1, 2):
        ledger.open(key, key)
    assert [ledger.close(key) for key in ledger] == [3, 1, 2]
    assert len(ledger) == 0


keys = sampled_from([0, 1, 1.0, "1", "a", None, b"9"])


class LedgerBesideAList(RuleBasedStateMachine):
    """The same steps on a ledger and on a list of pairs."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger: OpenRequests[int] = OpenRequests()
        self.pairs: list[tuple[object, int]] = []
        self.count = 0

    @rule(key=keys)
    def open(self, key: object) -> None:
        self.count += 1
        is_new = all(other != key for other, _ in self.pairs)
        assert self.ledger.open(key, self.count) is is_new
        if is_new:
            self.pairs.append((key, self.count))

    @rule(key=keys)
    def close(self, key: object) -> None:
        found = [entry for other, entry in self.pairs if other == key]
        assert self.ledger.find(key) == (found[0] if found else None)
        assert self.ledger.close(key) == (found[0] if found else None)
        self.pairs = [pair for pair in self.pairs if pair[0] != key]

    @invariant()
    def holds_the_same(self) -> None:
        assert list(self.ledger) == [entry for _, entry in self.pairs]
        assert len(self.ledger) == len(self.pairs)
        assert all(key in self.ledger for key, _ in self.pairs)


TestLedgerBesideAList = LedgerBesideAList.TestCase
