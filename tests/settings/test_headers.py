"""A header is read in every spelling, and an error never repeats its value."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_remote_py.errors import UsageError
from mcp_remote_py.redact import Secret
from mcp_remote_py.settings.headers import (
    MAX_HEADER_LENGTH,
    MAX_HEADERS,
    MAX_HEADERS_LENGTH,
    Header,
    HeaderFile,
    HeaderSettings,
    describe_placeholder,
    parse_header,
    parse_header_lines,
    parse_header_source,
)


def settings(*given: str, files: tuple[str, ...] = (), command: str = "") -> HeaderSettings:
    return HeaderSettings(
        tuple(parse_header(text, {}) for text in given),
        tuple(HeaderFile(path, (parse_header("X-A: read", {}),)) for path in files),
        ((command,),) if command else (),
    )


@pytest.mark.report("T17")
@pytest.mark.parametrize(
    ("value", "is_told"),
    [
        *((one, True) for one in ("$TOKEN", "Bearer $API_KEY", "%TOKEN%", "Bearer $env:Token")),
        *((one, True) for one in ("{{token}}", "Bearer <your-token>", "Bearer <YOUR API KEY>")),
        *(
            (one, False)
            for one in ("Bearer abc", "$ecret", "$1", "50%", "a b <c>", "a$TOKEN", "$A")
        ),
    ],
)
def test_placeholder_in_place_of_a_value_is_told_of(value: str, is_told: bool) -> None:
    said = describe_placeholder(Header("X-Key", Secret(value)))
    assert said.startswith("The value of the header X-Key looks like a placeholder") is is_told
    assert value not in said


@pytest.mark.promise("S2")
def test_headers_are_told_apart_by_a_mark_too_short_to_test_a_guess_with() -> None:
    kinds = [
        settings(),
        settings("X-A: one-37"),
        settings("X-A: two-37"),
        settings("X-B: one-37"),
        settings("X-A: one-37", "X-B: one-37"),
        settings(files=("mine.txt",)),
        settings(files=("theirs.txt",)),
        settings(command="mine"),
        settings(command="theirs"),
    ]
    marks = [one.mark("a server") for one in kinds]
    assert len(set(marks)) == len(marks)
    assert marks[0] == ""
    assert {len(mark) for mark in marks[1:]} == {4}
    assert settings("x-b: b", "X-A: a").mark("s") == settings("X-A: a", "X-B: b").mark("s")
    assert settings("X-A: a").mark("one server") != settings("X-A: a").mark("another")
    assert settings().mark("a server", "mine.pem") != settings().mark("a server", "theirs.pem")
    read = HeaderSettings(files=(HeaderFile("mine.txt", ()),))
    assert read.mark("a server") == settings(files=("mine.txt",)).mark("a server")


class TestHeader:
    @pytest.mark.parametrize(
        ("text", "name", "value"),
        [
            ("Authorization: Bearer token123", "Authorization", "Bearer token123"),
            ("Authorization:Bearer token123", "Authorization", "Bearer token123"),
            (" X-A :\t b c \t", "X-A", "b c"),
            ("X-Url: https://e.com:1/", "X-Url", "https://e.com:1/"),
            ("Authorization: Bearer ${T}", "Authorization", "Bearer v1"),
            ("Authorization:${H}", "Authorization", "Bearer v2"),
            ("${WHOLE}", "X-Whole", "yes"),
            ("X-${T}: a", "X-v1", "a"),
            ("X-A: <token>", "X-A", "<token>"),
            ("X-A: a\tb", "X-A", "a\tb"),
            ("X-A: caf\xe9", "X-A", "caf\xe9"),
            ("Authorization: token-without-scheme", "Authorization", "token-without-scheme"),
            ("X-Kind: bearer", "X-Kind", "bearer"),
            ("a!#$%&'*+-.^_`|~9: x", "a!#$%&'*+-.^_`|~9", "x"),
        ],
    )
    def test_every_spelling_is_read(self, text: str, name: str, value: str) -> None:
        environment = {"T": "v1", "H": "Bearer v2", "WHOLE": "X-Whole: yes"}
        assert parse_header(text, environment) == Header(name, Secret(value))

    def test_without_an_environment_nothing_is_expanded(self) -> None:
        assert parse_header("X-A: ${T}", None).value.reveal() == "${T}"

    @pytest.mark.promise("S2", "S4")
    @pytest.mark.parametrize(
        ("text", "sentence"),
        [
            ("hunter22", 'A header does not contain a colon. Write it as "Name: value".'),
            ("", 'A header does not contain a colon. Write it as "Name: value".'),
            (": hunter22", 'A header does not begin with a name. Write it as "Name: value".'),
            *(
                (
                    text,
                    "A header's name contains a character that no name may contain. Write it as "
                    '"Name: value". A name has letters, digits and hyphens, and no quotes.',
                )
                for text in (
                    '"X-A: hunter22"',
                    "X A: hunter22",
                    "X\nA: hunter22",
                    "X\xe4: hunter22",
                    "X(a): hunter22",
                    "\nX: hunter22",
                )
            ),
            *(
                (
                    f"{name}: hunter22",
                    f"The header {name} belongs to the connection and cannot be set. Leave it out.",
                )
                for name in (
                    "Content-Length",
                    "transfer-encoding",
                    "Connection",
                    "Upgrade",
                    "TE",
                    "Trailer",
                    "Keep-Alive",
                    "Proxy-Authorization",
                    "proxy-connection",
                )
            ),
            *(
                (
                    f"X-A: hunter22{character}x",
                    "The value of the header X-A contains a line break or another control "
                    "character. Remove it; a value is one line.",
                )
                for character in "\r\n\0\x1b\x7f\x0b"
            ),
            (
                "X-A: hunter22\n",
                "The value of the header X-A contains a line break or another control "
                "character. Remove it; a value is one line.",
            ),
            *(
                (
                    f"X-A: {character}hunter22",
                    "The value of the header X-A contains a character that no header can carry. "
                    "Look for curly quotes, long dashes or invisible characters from copying.",
                )
                for character in "“\u200b日\udc80"
            ),
            (
                "X-A:",
                "The value of the header X-A is empty. If the value comes from a variable, set it; "
                'else use "Authorization:${AUTH_HEADER}" in "args", and AUTH_HEADER in "env".',
            ),
            (
                "X-A: \u00a0",
                "The value of the header X-A is empty. If the value comes from a variable, set it; "
                'else use "Authorization:${AUTH_HEADER}" in "args", and AUTH_HEADER in "env".',
            ),
            *(
                (
                    f"{name}: {value}",
                    f'The header {name} uses ${{EMPTY}}, which is set to nothing. Set it in "env" '
                    "of the server's entry, or leave it out of the header.",
                )
                for name, value in (("X-A", "${EMPTY}"), ("Authorization", "Bearer ${EMPTY}"))
            ),
            (
                "Authorization:basic",
                "The header Authorization has a scheme but no token behind it. If the token "
                "comes from a variable, set it; else use "
                '"Authorization:${AUTH_HEADER}" in "args", and AUTH_HEADER in "env".',
            ),
        ],
    )
    def test_what_must_not_be_sent_is_refused_without_repeating_it(
        self, text: str, sentence: str
    ) -> None:
        with pytest.raises(UsageError) as caught:
            parse_header(text, {"EMPTY": ""})
        assert caught.value.sentence() == sentence
        assert "hunter22" not in sentence

    @pytest.mark.promise("S4")
    @pytest.mark.parametrize(
        ("value", "what"),
        [
            ("hunter22:", "The value of the header that a variable gives is empty."),
            (
                "hunter22:a\nb",
                "The value of the header that a variable gives contains a line break or another "
                "control character.",
            ),
        ],
    )
    def test_a_variable_where_a_name_belongs_is_not_repeated(self, value: str, what: str) -> None:
        with pytest.raises(UsageError) as caught:
            parse_header("${TOKEN}", {"TOKEN": value})
        assert caught.value.cause == what

    @pytest.mark.promise("S4")
    @given(st.text(), st.text(), st.text())
    def test_no_line_break_gets_through_by_any_way(self, name: str, value: str, sent: str) -> None:
        for text, environment in (
            (f"{name}:{value}", {}),
            ("X-A: ${V}", {"V": value}),
            ("${N}: ${V}", {"N": name, "V": f"{value}\r\n{sent}"}),
        ):
            try:
                header = parse_header(text, environment)
            except UsageError:
                continue
            line = f"{header.name}: {header.value.reveal()}".encode("latin-1")
            assert not set(line) & {0, 0x0A, 0x0D}

    def test_header_lines_are_read_one_by_one(self) -> None:
        text = "# credentials\r\n\r\n  Authorization: Bearer ${T}\r\n\t# more\nX-A:b\x85c"
        assert parse_header_lines(text, {"T": "t1"}, "file h") == (
            Header("Authorization", Secret("Bearer t1")),
            Header("X-A", Secret("b\x85c")),
        )
        assert parse_header_lines("", {}, "file h") == ()

    @pytest.mark.promise("S4")
    @pytest.mark.parametrize(
        ("text", "what"),
        [
            ("", "is empty"),
            (" \r\n\n", "is empty"),
            ("# only\n\n  # comments", "contains only comments and blank lines"),
        ],
    )
    def test_a_source_without_a_header_is_an_error(self, text: str, what: str) -> None:
        with pytest.raises(UsageError) as caught:
            parse_header_source(text, {}, "--header-file h")
        assert caught.value.sentence() == (
            f"--header-file h does not give a header: it {what}. "
            'It must have one "Name: value" a line; else leave the option out.'
        )
        assert parse_header_source("A: b", {}, "h") == (Header("A", Secret("b")),)

    @pytest.mark.promise("S4")
    @pytest.mark.parametrize(
        ("text", "environment", "words"),
        [
            ("Authorization: ApiKey ${T}", {"T": ""}, "uses ${T}, which is set to nothing"),
            ("Cookie: session=${T}; a=1", {"T": " "}, "uses ${T}, which is set to nothing"),
            ("X: a${sec ret}", {"sec ret": ""}, "uses a ${...}, which is set to nothing"),
            ("X: " + "a" * (MAX_HEADER_LENGTH + 1), {}, "is longer than 65536 characters"),
        ],
    )
    def test_a_value_that_cannot_be_meant_is_an_error(
        self, text: str, environment: dict[str, str], words: str
    ) -> None:
        with pytest.raises(UsageError, match=re.escape(words)):
            parse_header(text, environment)

    @pytest.mark.promise("S4")
    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("A: b\n" * (MAX_HEADERS + 1), "h has more than 100 headers"),
            ("#" * (MAX_HEADERS_LENGTH + 1), "h is longer than 262144 characters"),
            ("\0A\0:\0b\0\n", "h is not plain text: it has a NUL in it"),
        ],
    )
    def test_a_source_is_bounded_and_text(self, text: str, words: str) -> None:
        with pytest.raises(UsageError, match=words):
            parse_header_lines(text, {}, "h")

    @pytest.mark.promise("S2")
    def test_an_error_in_a_line_names_source_and_line_only(self) -> None:
        with pytest.raises(UsageError) as caught:
            parse_header_lines("# c\nhunter22\n", None, "--header-file h.txt")
        assert caught.value.sentence() == (
            "--header-file h.txt, line 2: A header does not contain a colon. "
            'Write it as "Name: value".'
        )
