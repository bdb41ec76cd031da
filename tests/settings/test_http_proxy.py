"""The proxy of the environment is chosen as curl does."""

from __future__ import annotations

from base64 import b64encode

import pytest

from mcp_remote_py.errors import UsageError
from mcp_remote_py.redact import Secret
from mcp_remote_py.settings.http_proxy import choose_http_proxy
from tests.settings.given import server

SCHEME_HINT = "Write it in full, for example https://example.com/mcp."
IPV6_HINT = "Write an IPv6 address in brackets, as in [2001:db8::1]:8443."


class TestProxy:
    @pytest.mark.parametrize(
        ("url", "environment", "proxy"),
        [
            ("https://e.com/", {}, None),
            ("https://e.com/", {"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
            ("https://e.com/", {"HTTPS_PROXY": "http://P.test"}, "http://p.test:80"),
            ("https://e.com/", {"https_proxy": "https://p/x"}, "https://p:443"),
            ("https://e.com/", {"https_proxy": "p:3128"}, "http://p:3128"),
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
        assert (None if chosen is None else chosen.address) == proxy
        assert chosen is None or (chosen.credentials, chosen.secrets) == (None, ())

    @pytest.mark.parametrize(
        ("user_info", "credentials"),
        [
            ("u:p%40", (b"u", b"p@")),
            ("u:[@ü", (b"u", "[@ü".encode())),
            ("u:a:b", (b"u", b"a:b")),
            ("u", (b"u", b"")),
            (":p", (b"", b"p")),
            ("u:%FF", (b"u", b"\xff")),
        ],
    )
    def test_what_a_proxy_is_told_of_us_is_decoded_and_secret(
        self, user_info: str, credentials: tuple[bytes, bytes]
    ) -> None:
        environment = {"https_proxy": f"http://{user_info}@p"}
        chosen = choose_http_proxy(server("https://e.com/"), environment)
        assert chosen is not None
        assert (chosen.address, chosen.credentials) == ("http://p:80", credentials)
        password = credentials[1].decode("utf-8", "replace")
        typed = user_info.partition(":")[2]
        sent = b64encode(b":".join(credentials)).decode()
        assert chosen.secrets == tuple(
            map(Secret, (f"http://{user_info}@p:80", user_info, typed, password, sent))
        )
        assert chosen.name == "http://p:80 (from https_proxy)"
        assert f"{user_info}@" not in repr(chosen)

    @pytest.mark.parametrize(
        "address", ["http://wpad.dat:80", "proxy.pac:80", "http://p:80?x=/a.pac", "http://p:80/pac"]
    )
    def test_a_proxy_whose_name_is_like_that_of_a_pac_file_is_one(self, address: str) -> None:
        assert choose_http_proxy(server("https://e.com/"), {"https_proxy": address}) is not None

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
                for scheme in ("ftp", "")
            ),
            *(
                (
                    f"{scheme}://u:hunter22@p:1080",
                    "The proxy in HTTPS_PROXY is a SOCKS proxy, which is not supported. Supported "
                    "are http:// and https:// proxies; many proxies speak both, at ports of their "
                    "own. Or list the server in NO_PROXY.",
                )
                for scheme in ("socks5", "SOCKS5h", "socks4", "socks")
            ),
            *(
                (
                    address,
                    "The proxy in HTTPS_PROXY is the address of a PAC file, which is not read "
                    "here. Open it in the browser, and name the proxy that it has for the server "
                    "behind the word PROXY: http://HOST:PORT.",
                )
                for address in (
                    "http://wpad.corp/proxy.PAC?x=1",
                    "https://u:hunter22@p/wpad.dat",
                    "pac+http://p/x",
                    "file:///etc/proxy.pac",
                )
            ),
            (
                "http://u:hunter22 x@p:1",
                "The proxy in HTTPS_PROXY contains a blank or a control character. "
                "Percent-encode it, a blank as %20.",
            ),
            (
                "http://u:hunter22@",
                "The proxy in HTTPS_PROXY does not name a host. Write it in full, for example "
                "http://proxy.example.com:3128.",
            ),
            (
                "http://u:hunter22@p:99999",
                "The proxy in HTTPS_PROXY has an invalid port. A port is a number from 1 to 65535.",
            ),
            *(
                (
                    # Once a part of the password was taken for a port, and shown as one.
                    f"http://u:17{mark}hunter22@p:3128",
                    "The proxy in HTTPS_PROXY has an @ behind a /, ? or #. In the name and the "
                    "password write / as %2F, ? as %3F and # as %23.",
                )
                for mark in "/?#"
            ),
            (
                "http://u:hunter22\udcff@p",
                "The proxy in HTTPS_PROXY contains a character that cannot be encoded. "
                "Write it percent-encoded, as %XX.",
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
