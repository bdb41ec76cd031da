"""The pictures of the documents show what the code has, in light and dark, and to those who hear.

That they are drawn anew is checked in `test_documents.py`, and the policy's own in
`test_never_a_loop.py`. Must not know how anything is drawn.
"""

from __future__ import annotations

import re
import tomllib

import pytest

from mcp_remote_py import retry
from mcp_remote_py.eras.era_detection import MISMATCH_STATUS
from mcp_remote_py.oauth.policy import POLICY_RULES, TRANSITIONS, Action, State
from mcp_remote_py.settings.commands import DEFAULT_INITIALIZE_TIMEOUT
from mcp_remote_py.stand_in import SIGN_IN_TOOL
from tests.documents import DOCUMENTS, ROOT, read, read_picture

NAMES = sorted(path.stem for path in (ROOT / "docs" / "pictures").iterdir())
WIDEST = 1200
"""Pixels: wider pictures are too small to be read on a page."""


def contrast(one: str, other: str) -> float:
    """As WCAG 2.2 has it, of two colours like #1c1e21: from 1 to 21."""

    def luminance(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        red, green, blue = (
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_there_are_pictures() -> None:
    assert NAMES == ["house", "never-a-loop", "sign-in", "start"]


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_can_be_read_by_all_and_asks_nobody(name: str) -> None:
    text, picture = read(f"docs/pictures/{name}.svg"), read_picture(name)
    assert len(picture.title) > 5
    assert len(picture.description) > 50
    assert 'role="img" aria-labelledby="title description"' in text
    without_namespace = text.replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not re.search(
        r"https?:|href|@import|url\((?!#)|<script|<image|on\w+=", without_namespace
    )
    width = re.search(r'viewBox="0 0 (\d+) ', text)
    assert width
    assert int(width[1]) <= WIDEST


@pytest.mark.parametrize("name", NAMES)
def test_every_word_stands_out_in_light_and_dark(name: str) -> None:
    light, _, dark = read(f"docs/pictures/{name}.svg").partition("@media")
    for style in (light, dark):
        words = re.findall(r"(?:text|\.soft) \{ fill: (#\w{6})", style)
        grounds = re.findall(r"\.(?:paper|box|deed|end|good) \{ fill: (#\w{6})", style)
        assert (len(words), len(grounds)) == (2, 5)
        assert min(contrast(word, ground) for word in words for ground in grounds) > 4.5


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_is_shown_with_words_in_its_place(name: str) -> None:
    shown = [
        words
        for document in DOCUMENTS
        for words in re.findall(rf"!\[([^]]*)\]\(pictures/{name}\.svg\)", read(document))
    ]
    assert len(shown) == 1
    assert len(shown[0]) > 60


def test_the_sign_in_has_the_states_and_deeds_of_the_policy() -> None:
    picture = read_picture("sign-in")
    assert set(picture.boxes) == {one.name for one in (*State, *Action)} | {"END"}
    for state in State:
        assert picture.boxes[state.name][0] == state.value
    for action in Action:
        named, told = picture.boxes[action.name]
        states = {one for rule in POLICY_RULES if rule.action is action for one in rule.states}
        names = {state.value for state in states}
        assert named == action.value
        assert set(told.removeprefix("token: ").split(", ")) == (
            {"any"} if states == set(State) else names
        )
    outcomes = {(one.action.name, one.state.name if one.state else "END") for one in TRANSITIONS}
    final = {(one.name, "END") for one in Action if one not in {one.action for one in TRANSITIONS}}
    assert picture.arrows == outcomes | final


def test_the_start_has_the_numbers_of_the_code() -> None:
    boxes = read_picture("start").boxes
    told = {name: set(map(int, re.findall(r"\d+", " ".join(boxes[name])))) for name in boxes}
    assert told["ELSEWHERE"] == MISMATCH_STATUS - {200}
    waiting = {status for one in retry.STATUS_READINGS for status in one.statuses}
    assert told["WAIT"] == {status for status in waiting if status < 510}
    assert told["AGAIN"] == {retry.STRANGER_PATIENCE, retry.INITIALIZE_PATIENCE}
    assert told["STANDS_IN"] == {DEFAULT_INITIALIZE_TIMEOUT}
    assert boxes["STANDS_IN"][-1].endswith(SIGN_IN_TOOL)


def test_the_house_has_the_floors_of_the_contract() -> None:
    project = tomllib.loads(read("pyproject.toml"))
    contracts = project["tool"]["importlinter"]["contracts"]
    layers = next(one["layers"] for one in contracts if one["name"] == "Imports point down only")
    told = [
        re.findall(r"\w+", " ".join(lines))
        for name, lines in read_picture("house").boxes.items()
        if not name.startswith("FLOOR_")
    ]
    assert [part for box in told for part in box] == re.findall(r"\w+", " ".join(layers))
