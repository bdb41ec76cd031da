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
    Outcome,
    render_outcome,
    render_stranger,
)

SMALL = 8 * 1024
"""Bytes; a page that fits into the first packets of any connection."""


class Reader(HTMLParser):
    """What a browser would make of a page: its elements, attributes and visible words."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []
        self.style = ""
        self.feed(page.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] == "style" and not self.style:
            self.style = data
        elif data.strip():
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.words))


def every_page() -> list[bytes]:
    return [render_stranger(), *(render_outcome(outcome, "Linear") for outcome in Outcome)]


@pytest.mark.parametrize(
    ("outcome", "title", "text"),
    [
        (
            Outcome.DONE,
            "You are signed in",
            "Linear is connected.You can close this tab and return to your application.",
        ),
        (
            Outcome.DECLINED,
            "Sign-in was declined",
            "Linear was not connected.You can close this tab. To sign in after all, run "
            "mcp-remote-py login here; your application names the whole command.",
        ),
        (
            Outcome.FAILED,
            "Sign-in did not work",
            "Linear could not be connected.You can close this tab. Return to your application: it "
            "says what went wrong and what to do about it.",
        ),
        (
            Outcome.PENDING,
            "Almost there",
            "Linear takes long to answer.You can close this tab and return to your application; it "
            "goes on without it. Reload this page to see how it ended.",
        ),
    ],
)
def test_a_page_says_what_happened_and_what_comes_next(
    outcome: Outcome, title: str, text: str
) -> None:
    page = Reader(render_outcome(outcome, "Linear"))
    assert page.text == f"{title}{title}{text}Shown by mcp-remote-py on this computer"


def test_without_a_name_a_plain_word_stands_there() -> None:
    text = Reader(render_outcome(Outcome.DONE, " \n")).text
    assert "The server is connected." in text


@pytest.mark.promise("S3")
@given(st.text(), st.sampled_from(Outcome))
def test_no_name_changes_the_markup(server: str, outcome: Outcome) -> None:
    plain = Reader(render_outcome(outcome, "Linear"))
    page = Reader(render_outcome(outcome, server))
    assert [tag for tag in page.tags if tag != "bdi"] == [tag for tag in plain.tags if tag != "bdi"]
    assert page.attributes == plain.attributes


@pytest.mark.promise("S3")
def test_a_hostile_name_is_only_text() -> None:
    name = "<script>alert(1)</script>\"'&amp;"
    page = render_outcome(Outcome.DONE, name)
    assert b"<script" not in page
    assert name in Reader(page).text


def test_a_name_cannot_turn_the_page_around_or_fill_it() -> None:
    page = Reader(render_outcome(Outcome.DONE, "\u202eevil\x1b[0m\nname" + "x" * 500))
    assert page.words[2].startswith("evil [0m namexxx")
    assert page.words[2].endswith("x…")
    assert len(page.words[2]) == MAX_NAME_LENGTH


@pytest.mark.promise("S3")
@pytest.mark.parametrize("page", every_page())
def test_a_page_is_without_scripts_and_loads_nothing(page: bytes) -> None:
    reader = Reader(page)
    assert not {"script", "link", "img", "iframe", "form", "a", "base"} & set(reader.tags)
    names = {name for name, _ in reader.attributes}
    assert not {"src", "href", "style"} & names
    assert not any(name.startswith("on") for name in names)
    assert b"url(" not in page
    assert b"@import" not in page
    assert len(page) < SMALL


@pytest.mark.promise("S3")
@pytest.mark.parametrize("page", every_page())
def test_the_policy_allows_this_style_and_nothing_else(page: bytes) -> None:
    digest = hashlib.sha256(Reader(page).style.encode()).digest()
    policy = dict(part.strip().split(" ", 1) for part in CONTENT_SECURITY_POLICY.split(";"))
    assert policy == {
        "default-src": "'none'",
        "style-src": f"'sha256-{base64.b64encode(digest).decode()}'",
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
