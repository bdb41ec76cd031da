"""A soak of seconds and a small crowd, for the gate; and that a bad one would be seen."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from tests.soak import many, soak
from tests.soak.measures import Slope, Vitals, average, fit, mean_of
from tests.soak.soak import Report, Tally
from tests.soak.weather import FAULTS, order
from tests.thorough import THOROUGH

VITALS = Vitals(44.0, 28.0, 26.0, 13, 4, 3, 0, 100)
GOOD = Report(
    seconds=3600.0,
    relays=10,
    tally=Tally(asked=10, answered=10),
    faults=Counter(),
    guests=Counter(),
    tabs=1,
    renewals=5,
    reuses=0,
    cpu=1.0,
    slopes={"private": Slope(0.5, 0.3)},
    first=VITALS,
    last=VITALS,
    most=VITALS,
    tasks=(5, 11),
    files=(10, 10),
    looks=100,
    violations=(),
)


@pytest.mark.timeout(240)
def test_relays_outlive_all_that_goes_wrong(tmp_path: Path) -> None:
    report = soak.run(tmp_path, 6.0, relays=3, pace=0.1, lifetime=3, fresh=THOROUGH)
    assert not report.problems()
    assert set(report.faults) == {fault.name for fault in FAULTS}
    assert report.tally.asked > 20
    assert report.renewals > 0


@pytest.mark.timeout(240)
def test_many_relays_share_one_sign_in(tmp_path: Path) -> None:
    report = many.run(tmp_path, 6, expiries=1, lifetime=2, watched=0.5, fresh=THOROUGH)
    assert not report.problems()
    assert len(report.vitals) == 4
    waiting, idle = (one for one in report.phases if "0 s of" in one.name)
    # Each look takes some waits; one that does not pause between them would have thousands.
    assert waiting.switches < 60
    assert idle.switches < 30


def test_what_a_soak_must_not_show_is_told() -> None:
    assert not GOOD.problems()
    for bad, what in (
        (replace(GOOD, tally=Tally(lost=["ping"])), "lost"),
        (replace(GOOD, violations=["a secret on stdout"]), "secret"),
        (replace(GOOD, tabs=2), "tabs"),
        (replace(GOOD, reuses=1), "twice"),
        (replace(GOOD, last=replace(VITALS, descriptors=17)), "descriptors"),
        (replace(GOOD, last=replace(VITALS, threads=7)), "threads"),
        (replace(GOOD, files=(10, 13)), "files"),
        (replace(GOOD, slopes={"private": Slope(1.7, 0.3)}), "memory grows by 1.70"),
        (replace(GOOD, slopes={}), "too seldom"),
    ):
        (problem,) = bad.problems()
        assert what in problem


def test_what_a_crowd_must_not_show_is_told() -> None:
    start = many.Phase("start", 1.0, 0.0, 1.0, 5.0, 0, 0, 1, 0)
    expired = many.Phase("expired", 1.0, 0.5, 1.0, 5.0, 1, 0, 0, 1)
    good = many.Report(6, [start, expired], [VITALS], 1, [])
    assert not good.problems()
    for phases, what in (
        ([start, replace(expired, renewals=2)], "2 renewals"),
        ([start, replace(expired, renewals=0)], "0 renewals"),
        ([start, replace(expired, reuses=1)], "used twice"),
        ([start, replace(expired, tabs=1)], "2 tabs"),
    ):
        (problem,) = replace(good, phases=phases).problems()
        assert what in problem
    assert replace(good, registrations=2).problems() == ["2 registrations"]
    assert replace(good, errors=["lost: ping"]).problems() == ["lost: ping"]


def test_a_line_is_fitted_with_its_error() -> None:
    assert fit([(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)]) == Slope(2.0, 0.0)
    # By hand: residuals 1, -2, 1; their squares 6, over 1 degree of freedom, over 2.
    assert fit([(0.0, 1.0), (1.0, -2.0), (2.0, 1.0)]) == pytest.approx(Slope(0.0, 3**0.5))
    with pytest.raises(ValueError, match="2 points"):
        fit([(0.0, 1.0), (1.0, 1.0)])
    with pytest.raises(ValueError, match="one x"):
        fit([(0.0, 1.0)] * 3)
    assert mean_of([Slope(1.0, 9.0), Slope(2.0, 9.0), Slope(3.0, 9.0)]) == pytest.approx(
        Slope(2.0, 3**-0.5)
    )
    assert mean_of([Slope(1.0, 3.0), Slope(2.0, 4.0)]) == Slope(1.5, 2.5)
    assert Slope(1.0, 0.5).per(3600) == (3600.0, 1800.0)


def test_an_average_of_counts_is_a_count() -> None:
    look = average([VITALS, replace(VITALS, rss=45.0, descriptors=14), VITALS])
    assert (look.rss, look.descriptors) == (pytest.approx(44 + 1 / 3), 13)


def test_every_fault_comes_once_before_any_comes_twice_by_chance_alone() -> None:
    played = list(order(FAULTS, 600.0, Random(1)))  # noqa: S311
    times = [at for at, _ in played]
    assert times == sorted(times)
    assert {fault.name for at, fault in played if at <= 60} == {fault.name for fault in FAULTS}
    assert times[-1] <= 600
    assert len(played) > 100
