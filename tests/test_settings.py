"""Words become checked values, or one error that says what to write instead."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_remote_py.errors import UsageError
from mcp_remote_py.redact import Secret
from mcp_remote_py.settings.certificates import add_ca_certs, check_tls
from mcp_remote_py.settings.commands import ProxySettings, ToolRules
from mcp_remote_py.settings.headers import (
    MAX_HEADER_LENGTH,
    MAX_HEADERS,
    MAX_HEADERS_LENGTH,
    Header,
    HeaderSettings,
    parse_header,
    parse_header_lines,
    parse_header_source,
)
from mcp_remote_py.settings.http_proxy import choose_http_proxy
from mcp_remote_py.settings.network import Network, SignInTimeouts, Tls
from mcp_remote_py.settings.urls import parse_server_url
from mcp_remote_py.settings.words import (
    ReadFile,
    choose,
    expand_environment,
    expand_path,
    parse_positive_seconds,
    parse_seconds,
    parse_size,
    read_text,
    split_command,
)
from mcp_remote_py.url import ServerUrl

SCHEME_HINT = "Write it in full, for example https://example.com/mcp."
FORM = "Give a command that prints lines of the form Name: value."
IPV6_HINT = "Write an IPv6 address in brackets, as in [2001:db8::1]:8443."


def files(texts: Mapping[str, str]) -> ReadFile:
    """A `read_file` over `texts`; other paths are missing."""

    def read(path: str) -> str:
        if path not in texts:
            raise FileNotFoundError(2, "No such file or directory")
        return texts[path]

    return read


def server(url: str) -> ServerUrl:
    return parse_server_url(url, allow_http=True)


class TestServerUrl:
    @pytest.mark.parametrize(
        ("text", "url"),
        [
            ("https://example.com/mcp", ServerUrl("https", "example.com", 443, "/mcp")),
            ("https://example.com", ServerUrl("https", "example.com", 443, "/")),
            ("https://example.com?a=b", ServerUrl("https", "example.com", 443, "/?a=b")),
            ("HTTPS://Example.COM:8443/A", ServerUrl("https", "example.com", 8443, "/A")),
            ("https://e.com:/x", ServerUrl("https", "e.com", 443, "/x")),
            ("https://e.com/x#frag?y", ServerUrl("https", "e.com", 443, "/x")),
            ("https://e.com#frag", ServerUrl("https", "e.com", 443, "/")),
            ("https://e.com./x", ServerUrl("https", "e.com.", 443, "/x")),
            ("https://my_service:1/x", ServerUrl("https", "my_service", 1, "/x")),
            ("http://localhost:3000/sse", ServerUrl("http", "localhost", 3000, "/sse")),
            ("https://[2001:DB8::0:1]/x", ServerUrl("https", "2001:db8::1", 443, "/x")),
            ("https://[::1]:8443", ServerUrl("https", "::1", 8443, "/")),
            ("https://bücher.example/", ServerUrl("https", "xn--bcher-kva.example", 443, "/")),
            ("https://e.com/ü?q=日", ServerUrl("https", "e.com", 443, "/%C3%BC?q=%E6%97%A5")),
            ("https://e.com/\udcff", ServerUrl("https", "e.com", 443, "/%FF")),
            ("https://e.com/a@b", ServerUrl("https", "e.com", 443, "/a@b")),
        ],
    )
    def test_a_url_is_taken_apart(self, text: str, url: ServerUrl) -> None:
        assert parse_server_url(text) == url

    @pytest.mark.promise("R2")
    @given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=40))
    def test_path_and_query_stay_byte_for_byte(self, text: str) -> None:
        target = "/" + text.replace("#", "")
        url = parse_server_url(f"https://example.com{target}")
        assert url.target == target
        assert str(url) == f"https://example.com{target}"

    @pytest.mark.promise("R2")
    @given(st.text(st.characters(min_codepoint=0xA1, exclude_categories=["C", "Z"])))
    def test_non_ascii_travels_as_percent_encoded_utf8(self, text: str) -> None:
        from urllib.parse import unquote

        target = parse_server_url(f"https://example.com/{text}").target
        assert target.isascii()
        assert unquote(target, errors="strict") == f"/{text}"

    @pytest.mark.parametrize(
        ("url", "text"),
        [
            ("https://e.com/x", "https://e.com"),
            ("https://e.com:80/x", "https://e.com:80"),
            ("http://localhost:80/x", "http://localhost"),
            ("http://[::1]:3000/x", "http://[::1]:3000"),
        ],
    )
    def test_the_origin_shows_the_port_only_where_it_says_something(
        self, url: str, text: str
    ) -> None:
        assert parse_server_url(url).origin == text

    @pytest.mark.promise("S4")
    @pytest.mark.parametrize(
        "host", ["localhost", "localhost.", "a.localhost", "127.0.0.1", "127.255.1.9", "[::1]"]
    )
    def test_plain_http_is_for_loopback(self, host: str) -> None:
        url = parse_server_url(f"http://{host}:3000/sse")
        assert url.is_loopback

    @pytest.mark.promise("S4")
    @pytest.mark.parametrize(
        "host",
        ["example.com", "10.0.0.1", "localhost.example", "127.0.0.1.example", "127.1", "[::2]"],
    )
    def test_plain_http_elsewhere_must_be_allowed(self, host: str) -> None:
        with pytest.raises(UsageError) as caught:
            parse_server_url(f"http://{host}/mcp")
        bare = host.strip("[]")
        assert caught.value.sentence() == (
            f"Plain http to {bare} would let the network read every header and message. "
            "Use https, or add --allow-http if that network is trusted."
        )
        assert not parse_server_url(f"http://{host}/mcp", allow_http=True).is_loopback

    @pytest.mark.parametrize(
        ("text", "sentence"),
        [
            ("", f"The server URL is empty. {SCHEME_HINT}"),
            ("example.com/mcp", f"The server URL has no scheme. {SCHEME_HINT}"),
            ("localhost:3000/mcp", f"The server URL has no scheme. {SCHEME_HINT}"),
            ("https:/e.com", f"The server URL has no scheme. {SCHEME_HINT}"),
            ("//e.com", f"The server URL has no scheme. {SCHEME_HINT}"),
            (
                "ws://e.com/mcp",
                "The server URL begins with ws://. A remote MCP server is reached by https:// "
                "(or http:// on this machine).",
            ),
            ("https://", f"The server URL has no host. {SCHEME_HINT}"),
            ("https:///mcp", f"The server URL has no host. {SCHEME_HINT}"),
            ("https://:443/", f"The server URL has no host. {SCHEME_HINT}"),
            (
                "https://user:hunter22@e.com/",
                "The server URL contains a user name or password. Leave it out and pass it with "
                '--header "Authorization: Basic ${CREDENTIALS}".',
            ),
            (
                "https://e.com/a b",
                "The server URL contains a blank or a control character. Give it as one "
                "argument; write a blank inside it as %20.",
            ),
            *(
                (
                    f"https://e.com/a{character}b",
                    "The server URL contains a blank or a control character. Give it as one "
                    "argument; write a blank inside it as %20.",
                )
                for character in "\r\n\t\0\x7f\x85\xa0\u2028"
            ),
            *(
                (
                    f"https://e.com:{port}/",
                    "The server URL has an invalid port. A port is a number from 1 to 65535.",
                )
                for port in ("0", "65536", "abc", "-1", "000443", "٣")
            ),
            (
                "https://2001:db8::1/mcp",
                f"The server URL has more than one colon in its host. {IPV6_HINT}",
            ),
            *(
                (
                    f"https://{literal}/",
                    f"The server URL has an invalid IPv6 address in brackets. {IPV6_HINT}",
                )
                for literal in ("[::1", "[nonsense]", "[127.0.0.1]", "[fe80::1%25eth0]", "[]")
            ),
            (
                "https://[::1]x/",
                f"The server URL has something other than a port behind the ]. {IPV6_HINT}",
            ),
            *(
                (
                    f"https://{host}/mcp",
                    "The server URL has an invalid host name. Replace placeholders such as "
                    "<your-server> by the real name.",
                )
                for host in (
                    "<your-server>",
                    "a..b",
                    ".a",
                    "a%20b",
                    "e.com\\x",
                    "\u2603\u2603.\u200d",
                    "a" * 64,
                    ".".join(["a" * 60] * 5),
                )
            ),
            (
                "https://e.com/\ud800",
                "The server URL contains a character that cannot be encoded. Write it "
                "percent-encoded, as %XX.",
            ),
        ],
    )
    def test_what_is_no_address_is_one_sentence(self, text: str, sentence: str) -> None:
        with pytest.raises(UsageError) as caught:
            parse_server_url(text)
        assert caught.value.sentence() == sentence


class TestEnvironment:
    def test_variables_are_replaced_anywhere_and_only_once(self) -> None:
        environment = {"A": "1", "B": "${A}", "EMPTY": ""}
        assert expand_environment("x${A}y${B}z${EMPTY}", environment) == "x1y${A}z"
        assert (
            expand_environment("$A ${} $${A} {A} <token>", environment) == "$A ${} $1 {A} <token>"
        )

    @pytest.mark.promise("S4")
    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("Bearer ${TOKEN}", "${TOKEN}"),
            ("${input:api-key}", "${input:api-key}"),
            ("${sec ret!}", "A ${...}"),
        ],
    )
    def test_an_unset_variable_is_named_with_the_place_to_set_it(
        self, text: str, shown: str
    ) -> None:
        with pytest.raises(UsageError) as caught:
            expand_environment(text, {"OTHER": "x"})
        assert caught.value.sentence() == (
            f"{shown} is used, but no environment variable of that name is set. MCP hosts pass "
            'only a few variables on: set it in "env" of the server\'s entry.'
        )

    @pytest.mark.parametrize(
        ("text", "environment", "path"),
        [
            ("~/h.txt", {"HOME": "/home/x"}, "/home/x/h.txt"),
            ("~\\h.txt", {"USERPROFILE": "C:\\U"}, "C:\\U\\h.txt"),
            ("~", {"HOME": "/home/x"}, "/home/x"),
            ("~other/h", {"HOME": "/home/x"}, "~other/h"),
            ("~/h", {}, "~/h"),
            ("${D}/h", {"D": "/d"}, "/d/h"),
            ("h", {"HOME": "/home/x"}, "h"),
        ],
    )
    def test_file_names_are_expanded_as_a_shell_would(
        self, text: str, environment: dict[str, str], path: str
    ) -> None:
        assert expand_path(text, environment) == path


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
            ("hunter22", 'A header has no colon. Write it as "Name: value".'),
            ("", 'A header has no colon. Write it as "Name: value".'),
            (": hunter22", 'A header has no name. Write it as "Name: value".'),
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
                "The header X-A has no value. If the value comes from a variable, set it; else "
                'use "Authorization:${AUTH_HEADER}" in "args", and AUTH_HEADER in "env".',
            ),
            (
                "X-A: \u00a0",
                "The header X-A has no value. If the value comes from a variable, set it; else "
                'use "Authorization:${AUTH_HEADER}" in "args", and AUTH_HEADER in "env".',
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
            '--header-file h.txt, line 2: A header has no colon. Write it as "Name: value".'
        )


class TestCommand:
    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("gcloud auth print", ("gcloud", "auth", "print")),
            ("'a b' \"c d\" e\\ f", ("a b", "c d", "e f")),
            ("get $(whoami) `x` | cat # y", ("get", "$(whoami)", "`x`", "|", "cat", "#", "y")),
            ("get ${T} '${T}'", ("get", "a b", "a b")),
        ],
    )
    def test_a_command_is_split_without_a_shell(self, text: str, words: tuple[str, ...]) -> None:
        assert split_command(text, {"T": "a b"}, "--x", FORM) == words

    def test_backslashes_survive_on_windows(self) -> None:
        text = "\"C:\\Program Files\\t.exe\" C:\\x\\y 'a b'"
        words = ("C:\\Program Files\\t.exe", "C:\\x\\y", "a b")
        assert split_command(text, {}, "--x", FORM, windows=True) == words

    def test_an_open_quote_is_an_error(self) -> None:
        with pytest.raises(UsageError) as caught:
            split_command("get 'hunter22", {}, "--header-command", FORM)
        assert caught.value.sentence() == (
            '--header-command has a quote that is not closed. Close it; inside JSON write " as \\".'
        )

    def test_an_empty_command_is_an_error(self) -> None:
        with pytest.raises(UsageError) as caught:
            split_command(" ", {}, "--header-command", FORM)
        assert caught.value.sentence() == (
            "--header-command is empty. Give a command that prints lines of the form Name: value."
        )


class TestNumbers:
    @pytest.mark.parametrize(
        ("text", "seconds"), [("30", 30.0), ("0.5", 0.5), (".5", 0.5), ("0", 0.0), ("0.0", 0.0)]
    )
    def test_seconds(self, text: str, seconds: float) -> None:
        assert parse_seconds(text, "--x") == seconds

    @pytest.mark.parametrize(
        "text", ["", "-1", "nan", "inf", "1e5", "30s", "1_0", "٣", " 1", "1\n", "9" * 400]
    )
    def test_what_is_no_number_of_seconds(self, text: str) -> None:
        with pytest.raises(UsageError) as caught:
            parse_seconds(text, "--connect-timeout")
        assert caught.value.sentence() == (
            "--connect-timeout takes a number of seconds. For example 30 or 0.5; 0 means no limit."
        )

    def test_what_must_be_above_zero(self) -> None:
        assert parse_positive_seconds("2.5", "--x", "") == 2.5
        for text in ("0", "0.0", "soon", "-1", "", "9" * 400):
            with pytest.raises(UsageError) as caught:
                parse_positive_seconds(text, "--x", "Leave it out.")
            assert caught.value.sentence() == (
                "--x takes a number of seconds above 0. For example 60. Leave it out."
            )

    @pytest.mark.parametrize(
        ("text", "size"),
        [
            ("1000000", 1_000_000),
            ("128MiB", 134_217_728),
            ("50MB", 50_000_000),
            ("50 mb", 50_000_000),
            ("3kB", 3000),
            ("3KiB", 3072),
            ("2GB", 2_000_000_000),
            ("1gib", 1_073_741_824),
            ("7B", 7),
        ],
    )
    def test_sizes(self, text: str, size: int) -> None:
        assert parse_size(text, "--x") == size

    @pytest.mark.parametrize(
        "text", ["", "0", "-1", "1.5MB", "MB", "10 parsecs", "1e6", "٣", "9" * 16, "1M"]
    )
    def test_what_is_no_size(self, text: str) -> None:
        with pytest.raises(UsageError) as caught:
            parse_size(text, "--max-message-size")
        assert caught.value.sentence() == (
            "--max-message-size takes a size above 0. For example 128MiB, 50MB or 1000000 (bytes)."
        )

    def test_a_name_is_one_of_a_list(self) -> None:
        assert choose("b", "--x", ("a", "b")) == "b"
        for text in ("", "A", "c", "ab"):
            with pytest.raises(UsageError) as caught:
                choose(text, "--x", ("a", "b"))
            assert caught.value.sentence() == "--x has an unknown value. Use one of: a, b."


CERT = "-----BEGIN CERTIFICATE-----\n"
KEY = "-----BEGIN PRIVATE KEY-----\n"


class TestFiles:
    def test_a_readable_file(self) -> None:
        assert read_text("h", "--header-file", files({"h": "x"})) == "x"

    @pytest.mark.promise("S4")
    def test_a_missing_file_is_named(self) -> None:
        with pytest.raises(UsageError) as caught:
            read_text("h.txt", "--header-file", files({}))
        assert caught.value.sentence() == (
            "--header-file: cannot read h.txt: No such file or directory. "
            "Give the full path of a file you may read."
        )

    def test_an_error_without_words_is_named_by_its_kind(self) -> None:
        def read(path: str) -> str:
            raise TimeoutError

        with pytest.raises(UsageError, match="cannot read h: TimeoutError"):
            read_text("h", "--header-file", read)

    def test_a_file_that_is_no_text(self) -> None:
        def read(path: str) -> str:
            return b"\xff".decode()

        with pytest.raises(UsageError) as caught:
            read_text("h", "--header-file", read)
        assert caught.value.sentence() == (
            "--header-file: h is not a UTF-8 text file. Save it as plain UTF-8 text."
        )

    @pytest.mark.parametrize(
        "tls",
        [
            Tls(),
            Tls(ca_certs=("ca",)),
            Tls(client_cert="cert", client_key="key"),
            Tls(client_cert="both"),
        ],
    )
    def test_files_that_fit(self, tls: Tls) -> None:
        check_tls(tls, files({"ca": CERT, "cert": CERT, "key": KEY, "both": CERT + KEY}))

    @pytest.mark.parametrize(
        ("tls", "sentence"),
        [
            (
                Tls(ca_certs=("ca", "gone")),
                "--ca-cert: cannot read gone: No such file or directory. "
                "Give the full path of a file you may read.",
            ),
            (
                Tls(ca_certs=("text",)),
                "--ca-cert: text is not a PEM file. It must contain a line that starts with "
                "-----BEGIN.",
            ),
            (
                Tls(client_key="key"),
                "--client-key is given without --client-cert. A key needs its certificate: add "
                "--client-cert.",
            ),
            (
                Tls(client_cert="ca"),
                "--client-cert: ca does not contain a private key. Give the file "
                "with the private key by --client-key.",
            ),
            (
                Tls(client_cert="ca", client_key="ca"),
                "--client-key: ca does not contain a private key. Give the file "
                "with the private key by --client-key.",
            ),
            (
                Tls(client_cert="ca", client_key="locked"),
                "--client-key: the private key in locked is encrypted. No password can be asked "
                "here: save the key without one, readable by you only.",
            ),
        ],
    )
    def test_files_that_do_not_fit(self, tls: Tls, sentence: str) -> None:
        texts = {
            "ca": CERT,
            "key": KEY,
            "text": "hello",
            "locked": "-----BEGIN ENCRYPTED PRIVATE KEY-----",
        }
        with pytest.raises(UsageError) as caught:
            check_tls(tls, files(texts))
        assert caught.value.sentence() == sentence

    def test_ssl_cert_file_joins_the_authorities(self) -> None:
        tls, warnings = add_ca_certs(
            Tls(ca_certs=("ca",)), {"SSL_CERT_FILE": "env"}, files({"env": CERT})
        )
        assert (tls.ca_certs, warnings) == (("ca", "env"), [])

    @pytest.mark.parametrize("environment", [{}, {"SSL_CERT_FILE": ""}, {"SSL_CERT_FILE": "ca"}])
    def test_nothing_joins_twice_or_from_an_empty_variable(
        self, environment: dict[str, str]
    ) -> None:
        tls = Tls(ca_certs=("ca",))
        assert add_ca_certs(tls, environment, files({})) == (tls, [])

    def test_a_stale_ssl_cert_file_is_only_a_warning(self) -> None:
        assert add_ca_certs(Tls(), {"SSL_CERT_FILE": "gone"}, files({})) == (
            Tls(),
            ["SSL_CERT_FILE: cannot read gone: No such file or directory. Going on without it."],
        )


class TestProxy:
    @pytest.mark.parametrize(
        ("url", "environment", "proxy"),
        [
            ("https://e.com/", {}, None),
            ("https://e.com/", {"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
            ("https://e.com/", {"HTTPS_PROXY": "http://P.test"}, "http://p.test:80"),
            ("https://e.com/", {"https_proxy": "https://p/x"}, "https://p:443"),
            ("https://e.com/", {"https_proxy": "p:3128"}, "http://p:3128"),
            ("https://e.com/", {"https_proxy": "http://u:p%40@p:1"}, "http://u:p%40@p:1"),
            ("https://e.com/", {"https_proxy": "http://u:[@ü@p:1"}, "http://u:%5B%40%C3%BC@p:1"),
            ("https://e.com/", {"https_proxy": "http://[::1]:1"}, "http://[::1]:1"),
            ("https://e.com/", {"HTTPS_PROXY": "http://a:1", "https_proxy": "http://b:1"},
             "http://b:1"),
            ("https://e.com/", {"HTTPS_PROXY": "http://a:1", "https_proxy": ""}, "http://a:1"),
            ("https://e.com/", {"HTTP_PROXY": "http://a:1"}, None),
            ("https://e.com/", {"ALL_PROXY": "http://a:1"}, "http://a:1"),
            ("https://e.com/", {"ALL_PROXY": "http://a:1", "all_proxy": "http://b:1"},
             "http://b:1"),
            ("https://e.com/", {"all_proxy": "http://b:1", "HTTPS_PROXY": "http://a:1"},
             "http://a:1"),
            ("http://e.com/", {"HTTP_PROXY": "http://a:1"}, "http://a:1"),
            ("http://e.com/", {"HTTP_PROXY": "http://a:1", "REQUEST_METHOD": "GET"}, None),
            ("http://e.com/", {"http_proxy": "http://a:1", "REQUEST_METHOD": "GET"},
             "http://a:1"),
            ("https://e.com/", {"HTTPS_PROXY": "http://a:1", "REQUEST_METHOD": "GET"},
             "http://a:1"),
            ("http://localhost:1/", {"http_proxy": "http://a:1"}, None),
            ("https://127.0.0.1/", {"https_proxy": "http://a:1"}, None),
            ("https://[::1]/", {"all_proxy": "http://a:1"}, None),
        ],
    )  # fmt: skip
    def test_the_environment_chooses(
        self, url: str, environment: dict[str, str], proxy: str | None
    ) -> None:
        chosen = choose_http_proxy(server(url), environment)
        assert (None if chosen is None else chosen.reveal()) == proxy

    @pytest.mark.parametrize(
        ("url", "exceptions", "direct"),
        [
            ("https://e.com/", "*", True),
            ("https://e.com/", "e.com", True),
            ("https://e.com/", "x.com, E.COM ,y.com", True),
            ("https://e.com/", "x.com y.com", False),
            ("https://a.e.com/", "e.com", True),
            ("https://a.e.com/", ".e.com", True),
            ("https://e.com/", ".e.com", True),
            ("https://a.e.com/", "*.e.com", True),
            ("https://ae.com/", "e.com", False),
            ("https://e.com./", "e.com", True),
            ("https://e.com/", "e.com:443", True),
            ("https://e.com/", "e.com:8443", False),
            ("https://bücher.example/", "bücher.example", True),
            ("https://10.1.2.3/", "10.1.2.3", True),
            ("https://10.1.2.3/", "10.1.0.0/16", True),
            ("https://10.1.2.3/", "10.1.0.0/24", False),
            ("https://10.1.2.3/", "2.3", False),
            ("https://10.1.2.3:8443/", "10.1.2.3:8443", True),
            ("https://host.10/", "host.10", True),
            ("https://[2001:db8::1]/", "2001:db8::1", True),
            ("https://[2001:db8::1]/", "[2001:db8::1]:443", True),
            ("https://[2001:db8::1]/", "[2001:db8::1]:1", False),
            ("https://[2001:db8::1]/", "2001:db8::/32", True),
            ("https://[2001:db8::1]/", "10.0.0.0/8", False),
            ("https://e.com/", "10.0.0.0/8", False),
            ("https://e.com/", ",,", False),
            ("https://e.com/", ".", False),
        ],
    )
    def test_no_proxy_names_what_goes_directly(
        self, url: str, exceptions: str, direct: bool
    ) -> None:
        for name in ("no_proxy", "NO_PROXY"):
            chosen = choose_http_proxy(server(url), {"ALL_PROXY": "http://p:1", name: exceptions})
            assert (chosen is None) is direct

    @pytest.mark.promise("S2")
    @pytest.mark.parametrize(
        ("proxy", "sentence"),
        [
            *(
                (
                    f"{scheme}://u:hunter22@p:1080",
                    "The proxy in HTTPS_PROXY is of a kind that is not supported. Supported are "
                    "http:// and https:// proxies; or list the server in NO_PROXY.",
                )
                for scheme in ("socks5", "SOCKS5h", "socks4", "ftp", "")
            ),
            (
                "http://u:hunter22 x@p:1",
                "The proxy in HTTPS_PROXY contains a blank or a control character. "
                "Percent-encode it, a blank as %20.",
            ),
            (
                "http://u:hunter22@",
                "The proxy in HTTPS_PROXY has no host. Write it in full, for example "
                "http://proxy.example.com:3128.",
            ),
            (
                "http://u:hunter22@p:99999",
                "The proxy in HTTPS_PROXY has an invalid port. A port is a number from 1 to 65535.",
            ),
            (
                "http://u:hunter22@[p]",
                f"The proxy in HTTPS_PROXY has an invalid IPv6 address in brackets. {IPV6_HINT}",
            ),
        ],
    )
    def test_a_wrong_proxy_is_one_sentence_without_its_password(
        self, proxy: str, sentence: str
    ) -> None:
        with pytest.raises(UsageError) as caught:
            choose_http_proxy(server("https://e.com/"), {"HTTPS_PROXY": proxy})
        assert caught.value.sentence() == sentence


class TestSecrets:
    @pytest.mark.promise("S2")
    def test_everything_secret_in_the_settings_is_listed(self) -> None:
        settings = ProxySettings(
            server("https://e.com/mcp?key=abcdefgh%3D&v=1&flag"),
            HeaderSettings(given=(Header("A", Secret("Bearer token123")),)),
            Network(proxies=(("https_proxy", Secret("http://u:p%40ss@p:1")),)),
        )
        found = {secret.reveal() for secret in settings.secrets}
        assert found == {
            "Bearer token123",
            "http://u:p%40ss@p:1",
            "u:p%40ss",
            "p%40ss",
            "p@ss",
            "abcdefgh%3D",
            "abcdefgh=",
        }

    def test_settings_without_secrets(self) -> None:
        network = Network(proxies=(("https_proxy", Secret("http://p:1")),))
        settings = ProxySettings(server("https://e.com/mcp"), network=network)
        assert settings.secrets == ()
        assert ProxySettings(server("https://e.com/mcp?a=b")).secrets == ()


def test_tool_rules_restrict_only_when_one_is_set() -> None:
    assert not ToolRules().restrict
    assert ToolRules(allow=("a",)).restrict
    assert ToolRules(ignore=("a",)).restrict
    assert ToolRules(read_only=True).restrict


NO_PARTS = (None, None, None)


@pytest.mark.parametrize(
    ("said", "limits"),
    [
        (SignInTimeouts(), (*NO_PARTS, 15.0)),
        (SignInTimeouts(connect=2.0), (2.0, 15.0, 15.0, 32.0)),
        (SignInTimeouts(1.0, 2.0, 3.0), (1.0, 2.0, 3.0, 6.0)),
        (SignInTimeouts(headers=0.0), (15.0, 60.0, 15.0, 90.0)),
        (SignInTimeouts(0.0, 3600.0, 60.5), (60.0, 60.0, 60.0, 180.0)),
    ],
)
def test_a_request_of_a_sign_in_comes_to_an_end_whatever_the_person_says(
    said: SignInTimeouts, limits: tuple[float | None, ...]
) -> None:
    assert said.limit(15.0) == limits
