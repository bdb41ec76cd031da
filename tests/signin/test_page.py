"""The page at the end of a sign-in: right words, safe whatever the names are, and small."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_remote_py.signin.page import (
    CONTENT_SECURITY_POLICY,
    MAX_NAME_LENGTH,
    render_outcome,
    render_stranger,
)
from mcp_remote_py.signin.ports import Outcome

SMALL = 8 * 1024
"""Bytes; a page that fits into the first packets of any connection."""


class Reader(HTMLParser):
    """What a browser would make of a page: its elements, attributes and visible words."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []
        self.names: list[str] = []
        self._is_name = False
        self.style = ""
        self.feed(page.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag == "bdi":
            self.names.append("")
            self._is_name = True

    def handle_endtag(self, tag: str) -> None:
        self._is_name = False
        if tag in ("title", "h1", "p"):
            self.words.append(" ")

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] == "style" and not self.style:
            self.style = data
        elif data.strip() or self._is_name:
            self.words.append(data)
            if self._is_name:
                self.names[-1] += data

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.words)).strip()


def every_page() -> list[bytes]:
    outcomes = (render_outcome(outcome, "Linear", "Claude") for outcome in Outcome)
    return [render_stranger(), *outcomes]


AGAIN = (
    "To sign in again, run mcp-remote-py login on this computer; Claude shows the whole command."
)

WORDS = {
    Outcome.DONE: (
        "You are signed in",
        "Linear is connected. You can close this tab and go back to Claude.",
    ),
    Outcome.EXTENDED: (
        "More access was given",
        "Linear allows what was asked for now. You can close this tab and go back to Claude.",
    ),
    Outcome.DECLINED: (
        "Sign-in was declined",
        "Access to Linear was not given. If that is what you want, you are done: you can close "
        f"this tab. {AGAIN}",
    ),
    Outcome.EXPIRED: (
        "Sign-in has expired",
        "Linear does not accept it any more: it took too long, or was used before. You can close "
        f"this tab. {AGAIN}",
    ),
    Outcome.AWAY: (
        "Sign-in could not be finished",
        "Linear does not answer as it should right now. Nothing is wrong with what you did. "
        f"You can close this tab. Wait a few minutes. {AGAIN}",
    ),
    Outcome.FAILED: (
        "Sign-in did not work",
        "The sign-in at Linear could not be finished. You can close this tab and go back to "
        "Claude: it says what went wrong and what to do.",
    ),
    Outcome.PENDING: (
        "Almost done",
        "Your part is done. Linear takes some time to answer. This page shows how it ends. You can "
        "also close this tab and go back to Claude; it goes on without it.",
    ),
}


@pytest.mark.parametrize("outcome", Outcome)
def test_a_page_says_what_happened_and_what_comes_next(outcome: Outcome) -> None:
    title, text = WORDS[outcome]
    page = Reader(render_outcome(outcome, "Linear", "Claude"))
    assert page.text == f"{title} {title} {text} Shown by mcp-remote-py on this computer"


def test_a_page_for_a_stranger_tells_nothing_of_what_is_waited_for() -> None:
    assert Reader(render_stranger()).text == (
        "This link is not in use This link is not in use It may be from an earlier attempt to "
        "sign in. You can close this tab. If you are signing in right now, use the newest tab or "
        "link. Shown by mcp-remote-py on this computer"
    )


@pytest.mark.parametrize(
    ("application", "said"),
    [
        ("Zed", "go back to Zed."),
        ("", "go back to your application."),
        (" \n", "go back to your application."),
        (None, "go back to the terminal."),
    ],
)
def test_who_asked_is_where_a_person_goes_back_to(application: str | None, said: str) -> None:
    assert said in Reader(render_outcome(Outcome.DONE, "Linear", application)).text


def test_without_a_name_a_plain_word_stands_there() -> None:
    text = Reader(render_outcome(Outcome.DONE, " \n")).text
    assert "The server is connected." in text


@pytest.mark.promise("S3")
@given(st.text(), st.text(), st.sampled_from(Outcome))
def test_no_name_changes_the_markup(server: str, application: str, outcome: Outcome) -> None:
    plain = Reader(render_outcome(outcome, "Linear", "Claude"))
    page = Reader(render_outcome(outcome, server, application))
    assert [tag for tag in page.tags if tag != "bdi"] == [tag for tag in plain.tags if tag != "bdi"]
    assert page.attributes == plain.attributes


@pytest.mark.promise("S3")
@pytest.mark.parametrize("who", ["server", "application"])
def test_a_hostile_name_is_only_text(who: str) -> None:
    name = "<script>alert(1)</script>\"'&amp;{x}"
    names = {"server": "Linear", "application": "Claude", who: name}
    page = render_outcome(Outcome.DONE, names["server"], names["application"])
    assert b"<script" not in page
    assert name in Reader(page).names


@pytest.mark.promise("S3")
@pytest.mark.parametrize("who", ["server", "application"])
def test_a_name_cannot_turn_the_page_around_or_fill_it(who: str) -> None:
    name = "\u202eevil\x1b[0m\nname\u2066\u200b" + "x" * 10_000
    names = {"server": "Linear", "application": "Claude", who: name}
    page = Reader(render_outcome(Outcome.DONE, names["server"], names["application"]))
    (shown,) = set(page.names) - {"Linear", "Claude"}
    assert shown.startswith("evil [0m name xxx")
    assert shown.endswith("x…")
    assert len(shown) == MAX_NAME_LENGTH


@pytest.mark.promise("S3")
@pytest.mark.parametrize("page", every_page())
def test_a_page_is_without_scripts_and_loads_nothing(page: bytes) -> None:
    reader = Reader(page)
    assert not {"script", "img", "iframe", "form", "a", "base"} & set(reader.tags)
    (link,) = [value for name, value in reader.attributes if name == "href" and value]
    assert reader.tags.count("link") == 1
    assert link.startswith("data:image/svg+xml,"), "the tab's icon is in the page"
    assert ("rel", "icon") in reader.attributes
    names = {name for name, _ in reader.attributes}
    assert not {"src", "style", "http-equiv"} & names
    assert not any(name.startswith("on") for name in names)
    assert b"url(" not in page
    assert b"@import" not in page
    assert len(page) < SMALL


@pytest.mark.parametrize("page", every_page())
def test_nothing_on_a_page_moves(page: bytes) -> None:
    """So nobody has to ask for less of it (`prefers-reduced-motion`)."""
    assert not re.search(r"animation|transition|@keyframes|<animate", page.decode())


@pytest.mark.promise("S3")
@pytest.mark.parametrize("page", every_page())
def test_the_policy_allows_this_style_and_nothing_else(page: bytes) -> None:
    digest = hashlib.sha256(Reader(page).style.encode()).digest()
    policy = dict(part.strip().split(" ", 1) for part in CONTENT_SECURITY_POLICY.split(";"))
    assert policy == {
        "default-src": "'none'",
        "style-src": f"'sha256-{base64.b64encode(digest).decode()}'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }


@pytest.mark.parametrize("page", every_page())
def test_a_page_is_readable_for_everyone(page: bytes) -> None:
    reader = Reader(page)
    assert page.startswith(b"<!DOCTYPE html>")
    assert ("lang", "en") in reader.attributes
    assert reader.tags.count("h1") == reader.tags.count("main") == reader.tags.count("title") == 1
    assert ("aria-hidden", "true") in reader.attributes  # the icon says nothing the words do not
    assert "color-scheme: light dark" in reader.style
    assert "prefers-color-scheme: dark" in reader.style


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_colours_have_enough_contrast(scheme: str) -> None:
    """WCAG 2.2 §1.4.3: 4.5 to 1 for text, §1.4.11: 3 to 1 for icons."""
    style = Reader(render_stranger()).style
    light, dark = (
        dict(re.findall(r"--([a-z-]+): (#\w+)", part)) for part in style.split("@media", 2)[:2]
    )
    colour = {"light": light, "dark": dark}[scheme]
    for text in ("text", "soft"):
        assert contrast(colour[text], colour["card"]) >= 4.5
    for icon in ("done", "failed", "other"):
        assert contrast(colour[icon], colour[f"{icon}-back"]) >= 3


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.2 defines it."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
