"""What is secret stays secret, wherever a text goes."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_remote_py.redact import MASK, Secret, mask_url, remember, scrub, scrub_known


@pytest.mark.promise("S2")
@pytest.mark.parametrize("form", ["{}", "{!r}", "{!s}", "{!a}"])
def test_a_secret_formats_as_stars(form: str) -> None:
    text = form.format(Secret("token123"))
    assert "token123" not in text
    assert MASK in text


@pytest.mark.promise("S2")
def test_a_secret_is_hidden_inside_containers_too() -> None:
    assert "token123" not in repr({"a": [Secret("token123")]})


def test_a_secret_reveals_its_value_only_when_asked() -> None:
    assert Secret("token123").reveal() == "token123"


def test_equality_and_hash_follow_the_value() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2


@pytest.mark.promise("S2")
def test_a_secret_is_not_pickled() -> None:
    with pytest.raises(TypeError, match="a Secret is not pickled"):
        pickle.dumps(Secret("token123"))


@pytest.mark.promise("S2")
@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("https://example.com/mcp", "https://example.com/mcp"),
        ("https://u:p@example.com:8443/mcp", "https://example.com:8443/mcp"),
        ("https://u@p@example.com/", "https://example.com/"),
        ("https://e.com/mcp?key=abc&flag&x=", "https://e.com/mcp?key=****&flag&x=****"),
        ("https://e.com/a?b=c=d", "https://e.com/a?b=****"),
        ("https://e.com/a#token", "https://e.com/a"),
        ("https://e.com/?sk-live-0123456789abcdef01", "https://e.com/?sk-l****"),
        ("https://e.com/s/0a1b2c3d4e5f6a7b8c9d0e/mcp", "https://e.com/s/0a1b****/mcp"),
        (
            "https://e.com/a-long-name-without-any-digit",
            "https://e.com/a-long-name-without-any-digit",
        ),
        ("https://[::1", "https://[::1"),
        ("no url", "no url"),
        ("", ""),
    ],
)
def test_a_masked_url_shows_where_but_not_what(url: str, masked: str) -> None:
    assert mask_url(url) == masked


@given(st.text())
def test_masking_takes_any_text(text: str) -> None:
    assert isinstance(mask_url(text), str)


@pytest.mark.promise("S2")
@pytest.mark.parametrize(
    ("secrets", "text", "scrubbed"),
    [
        (["Bearer token123"], "refused Bearer token123!", "refused ****!"),
        (["Bearer token123"], "refused token123!", "refused ****!"),
        (["AWS4 Credential=abc, Signature=def"], "got Credential=abc,", "got ****"),
        (["abcd", "abcdefgh"], "abcdefgh", "****"),
        (["abc"], "abc is too short", "abc is too short"),
        ([], "nothing", "nothing"),
    ],
)
def test_scrubbing_replaces_whole_values_and_the_words_behind_a_scheme(
    secrets: list[str], text: str, scrubbed: str
) -> None:
    assert scrub(text, map(Secret, secrets)) == scrubbed


@given(st.lists(st.text("abc ", min_size=4, max_size=8), max_size=4), st.text("abc *"))
def test_no_secret_survives_scrubbing(values: list[str], text: str) -> None:
    scrubbed = scrub(text, map(Secret, values))
    for value in values:
        assert value not in scrubbed


@pytest.mark.promise("S2")
def test_what_was_remembered_is_scrubbed_everywhere() -> None:
    assert scrub_known("a remembered-0815 b") == "a remembered-0815 b"
    remember([Secret("Bearer remembered-0815")])
    assert scrub_known("a remembered-0815 b") == "a **** b"
