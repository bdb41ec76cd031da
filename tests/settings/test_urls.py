"""A person's URL becomes an address, or one sentence that says how it is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_remote_py.errors import UsageError
from mcp_remote_py.settings.urls import parse_server_url
from mcp_remote_py.url import ServerUrl

SCHEME_HINT = "Write it in full, for example https://example.com/mcp."
IPV6_HINT = "Write an IPv6 address in brackets, as in [2001:db8::1]:8443."

WORD = (
    "The server URL is a word, not an address: an address begins with https://. To check an entry "
    "of a host by its name: mcp-remote-py check NAME"
)


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
            ("example.com/mcp", f"The server URL does not begin with a scheme. {SCHEME_HINT}"),
            ("localhost:3000/mcp", f"The server URL does not begin with a scheme. {SCHEME_HINT}"),
            ("https:/e.com", f"The server URL does not begin with a scheme. {SCHEME_HINT}"),
            ("work", WORD),
            ("x9Kq2vLp8ZrT4w", WORD),
            ("//e.com", f"The server URL does not begin with a scheme. {SCHEME_HINT}"),
            (
                "ws://e.com/mcp",
                "The server URL begins with ws://. A remote MCP server is reached by https:// "
                "(or http:// on this machine).",
            ),
            (
                "x9Kq2vLp8ZrT4w://e.com",
                f"The server URL is not an http or https URL. {SCHEME_HINT}",
            ),
            ("https://", f"The server URL does not name a host. {SCHEME_HINT}"),
            ("https:///mcp", f"The server URL does not name a host. {SCHEME_HINT}"),
            ("https://:443/", f"The server URL does not name a host. {SCHEME_HINT}"),
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
    def test_what_is_not_an_address_is_one_sentence(self, text: str, sentence: str) -> None:
        with pytest.raises(UsageError) as caught:
            parse_server_url(text)
        assert caught.value.sentence() == sentence
