"""Words about signing in become checked values, or one error that says what to write instead."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_remote_py.errors import UsageError
from mcp_remote_py.redact import Secret
from mcp_remote_py.settings import sign_in_words as words
from mcp_remote_py.settings.commands import ProxySettings
from mcp_remote_py.settings.sign_in import SignInSettings
from mcp_remote_py.settings.stored import LogoutSettings, SessionPattern, StatusSettings
from mcp_remote_py.settings.urls import parse_server_url
from mcp_remote_py.settings.words import ReadText, split_command

BYTES = {"BYTES": "\udcff"}
"""A variable that is not text: Python has its bytes so."""

INFO = "--static-oauth-client-info"
METADATA = "--static-oauth-client-metadata"


def files(texts: Mapping[str, str]) -> ReadText:
    """A `read_file` over `texts`; other paths are missing."""

    def read(path: str) -> str:
        if path not in texts:
            raise FileNotFoundError(2, "No such file or directory")
        return texts[path]

    return read


def nested(depth: int) -> str:
    """A client that has as many lists inside each other."""
    return f'{{"client_id": "c", "n": {"[" * depth}{"]" * depth}}}'


def refusal_of(parse: Callable[[], object]) -> str:
    with pytest.raises(UsageError) as caught:
        parse()
    sentence = caught.value.sentence()
    assert "hunter22" not in sentence
    assert sentence == f"{caught.value.cause} {caught.value.hint}"
    return sentence


class TestCallback:
    @pytest.mark.parametrize("text", ["1", "3334", "65535", "00080"])
    def test_port(self, text: str) -> None:
        assert words.parse_callback_port(text) == int(text)

    @pytest.mark.parametrize("text", ["0", "65536", "99999999", "٣٣", "", "-1", "80x"])
    def test_what_is_not_a_port(self, text: str) -> None:
        assert refusal_of(lambda: words.parse_callback_port(text)) == (
            "The callback port behind the server URL is not a valid port. "
            "A port is a number from 1 to 65535."
        )

    @pytest.mark.parametrize(
        ("text", "host"),
        [
            ("localhost", "localhost"),
            ("LocalHost", "localhost"),
            ("127.0.0.1", "127.0.0.1"),
            ("127.9.9.9", "127.9.9.9"),
            ("::1", "[::1]"),
            ("[::1]", "[::1]"),
            ("app.localhost", "app.localhost"),
        ],
    )
    def test_host_is_this_machine(self, text: str, host: str) -> None:
        assert words.parse_callback_host(text) == host

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "0.0.0.0",
            "::",
            "example.com",
            "localhost.example.com",
            "localhost:80",
            "localhost/",
            "127.0.0.1.example.com",
            "a b.localhost",
            "user@localhost",
            "evil/.localhost",
            "[::1",
            "127.0.0.256",
        ],
    )
    def test_another_machine_is_refused(self, text: str) -> None:
        assert refusal_of(lambda: words.parse_callback_host(text)) == (
            "--host must name this machine, because the browser comes back by plain http."
            " Write localhost, 127.0.0.1 or [::1]."
        )

    @pytest.mark.parametrize("text", ["/", "/oauth/callback", "/a%20b/~x;y=1", "/a..b/.c", "/x/"])
    def test_path_stays_as_it_is(self, text: str) -> None:
        assert words.parse_callback_path(text) == text

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "callback",
            "/a b",
            "/a?b",
            "/a#b",
            "/a\n",
            "/ü",
            "/a/../b",
            "/.",
            "/a/..",
            "/%2",
            "*",
        ],
    )
    def test_what_is_not_a_path(self, text: str) -> None:
        assert refusal_of(lambda: words.parse_callback_path(text)) == (
            "--callback-path is not a path that a redirect URI can have. "
            "Begin with /, as in /oauth/callback, and leave out blanks, ? and #."
        )

    def test_browser_command_is_split_without_a_shell(self) -> None:
        assert split_command("'my browser' --new $(x)", {}, "--browser", "") == (
            "my browser",
            "--new",
            "$(x)",
        )
        assert refusal_of(lambda: split_command("a 'b", {}, "--browser", "")) == (
            '--browser has a quote that is not closed. Close it; inside JSON write " as \\".'
        )
        assert refusal_of(lambda: split_command("", {}, "--browser", "Name one.")) == (
            "--browser is empty. Name one."
        )


SUCCESS_FORM = "Write it in full, for example https://app.example.com/connected."


class TestUrls:
    @pytest.mark.parametrize(
        "text",
        [
            "https://app.example.com/connected",
            "https://app.example.com",
            "HTTPS://APP.example.com/A%2F",
            "http://localhost:3000/done",
            "http://127.0.0.1/",
            "https://[2001:db8::1]:8443/x",
        ],
    )
    def test_success_url_stays_as_it_is(self, text: str) -> None:
        assert words.parse_success_url(text) == text

    def test_success_url_in_a_trusted_network(self) -> None:
        assert words.parse_success_url("http://intranet/x", allow_http=True) == "http://intranet/x"

    @pytest.mark.parametrize(
        ("text", "sentence"),
        [
            ("", f"--auth-success-url is not an https URL. {SUCCESS_FORM}"),
            ("app.example.com/x", f"--auth-success-url is not an https URL. {SUCCESS_FORM}"),
            ("javascript:alert(1)", f"--auth-success-url is not an https URL. {SUCCESS_FORM}"),
            ("file:///etc/passwd", f"--auth-success-url is not an https URL. {SUCCESS_FORM}"),
            ("https://a.example/x y", f"--auth-success-url is not an https URL. {SUCCESS_FORM}"),
            (
                "https://a.example/\r\nX: y",
                f"--auth-success-url is not an https URL. {SUCCESS_FORM}",
            ),
            ("https://a.example/ü", f"--auth-success-url is not an https URL. {SUCCESS_FORM}"),
            ("https:///x", f"--auth-success-url does not name a host. {SUCCESS_FORM}"),
            (
                "https://a.example:99999/",
                "--auth-success-url has an invalid port. A port is a number from 1 to 65535.",
            ),
            (
                "https://u:hunter22@a.example/",
                "--auth-success-url contains a user name or password. Leave it out.",
            ),
            (
                "https://a.example/?x=hunter22",
                "--auth-success-url has a query. Name the page only.",
            ),
            ("https://a.example/?", "--auth-success-url has a query. Name the page only."),
            (
                "https://a.example/#hunter22",
                "--auth-success-url has a fragment. Leave out what begins with #.",
            ),
            (
                "http://a.example/",
                "--auth-success-url is plain http to another machine. Use https.",
            ),
        ],
    )
    def test_success_url_is_a_place_and_nothing_more(self, text: str, sentence: str) -> None:
        assert refusal_of(lambda: words.parse_success_url(text)) == sentence

    @pytest.mark.parametrize(
        "text",
        ["https://c.example/client.json", "https://C.example:8443/a/b?v=1", "https://c.e/%2e"],
    )
    def test_client_metadata_url_stays_as_it_is(self, text: str) -> None:
        assert words.parse_client_metadata_url(text) == text

    @pytest.mark.parametrize(
        "text",
        [
            "https://c.example",
            "https://c.example/",
            "https://c.example?x=/y",
            "http://localhost/client.json",
            "https://c.example/a/../b",
        ],
    )
    def test_client_metadata_url_is_https_with_a_path(self, text: str) -> None:
        assert refusal_of(lambda: words.parse_client_metadata_url(text)) == (
            "--client-metadata-url must be an https URL with a path, and without . and .. in it. "
            "For example https://client.example.com/oauth-client.json."
        )

    @pytest.mark.parametrize(
        "text", ["https://a.example", "https://a.example/t/", "http://[::1]:1"]
    )
    def test_issuer_stays_as_it_is(self, text: str) -> None:
        assert words.parse_trusted_issuer(text) == text

    @pytest.mark.parametrize(
        ("text", "sentence"),
        [
            (
                "a.example",
                "--trusted-issuer is not an https URL. "
                "Write it in full, for example https://auth.example.com.",
            ),
            (
                "https://a.example?x",
                '--trusted-issuer has a query. Write the "issuer" of the server\'s metadata.',
            ),
            ("http://a.example", "--trusted-issuer is plain http to another machine. Use https."),
        ],
    )
    def test_what_is_not_an_issuer(self, text: str, sentence: str) -> None:
        assert refusal_of(lambda: words.parse_trusted_issuer(text)) == sentence

    @pytest.mark.parametrize(
        "text",
        ["https://tenant.example.com/", "https://T.example?x=1", "urn:example:api", "api://1-2"],
    )
    def test_resource_stays_as_it_is(self, text: str) -> None:
        assert words.parse_resource(text) == text

    @pytest.mark.parametrize(
        "text", ["", "tenant", "https://a.example/#x", "https://a b", "a:\n", "a:", "https://ü"]
    )
    def test_what_is_not_a_resource(self, text: str) -> None:
        assert refusal_of(lambda: words.parse_resource(text)) == (
            "--resource must be an absolute URI without a fragment. "
            "For example https://tenant.example.com/."
        )


class TestRequest:
    @pytest.mark.parametrize(
        ("text", "scope"),
        [("read", "read"), (" read  write ", "read write"), ("https://a/x:y.z", "https://a/x:y.z")],
    )
    def test_scopes(self, text: str, scope: str) -> None:
        assert words.parse_scope(text) == scope

    @pytest.mark.parametrize("text", ["", " ", 'a"b', "a\\b", "lese-ü"])
    def test_what_are_not_scopes(self, text: str) -> None:
        assert refusal_of(lambda: words.parse_scope(text)) == (
            '--scope does not name any scope. Separate them by blanks, as in --scope "read write"; '
            "without it the server's own are asked for."
        )

    @pytest.mark.parametrize(
        ("text", "parameter"),
        [
            ("prompt=consent", ("prompt", "consent")),
            ("audience=https://a/?b=c", ("audience", "https://a/?b=c")),
            ("login_hint=", ("login_hint", "")),
            ("claims[x]=ü 1", ("claims[x]", "ü 1")),
        ],
    )
    def test_parameter(self, text: str, parameter: tuple[str, str]) -> None:
        assert words.parse_authorize_parameter(text) == parameter

    @pytest.mark.parametrize("text", ["", "prompt", "=hunter22", "a b=hunter22", "a=hunter22\n"])
    def test_what_is_not_a_parameter(self, text: str) -> None:
        assert refusal_of(lambda: words.parse_authorize_parameter(text)) == (
            "--authorize-param is not of the form KEY=VALUE. "
            "For example --authorize-param prompt=consent."
        )

    @pytest.mark.parametrize(
        ("name", "hint"),
        [
            ("response_type", "It is always code."),
            ("response_mode", "The answer must come in the query."),
            ("redirect_uri", "Change it by PORT, --host and --callback-path."),
            ("state", "It protects this sign-in."),
            ("code_challenge", "It protects this sign-in."),
            ("code_challenge_method", "It protects this sign-in."),
            ("dpop_jkt", "It protects this sign-in."),
            ("client_id", "Give the client by --static-oauth-client-info."),
            ("resource", "Give the resource by --resource."),
            ("scope", "Give the scopes by --scope."),
        ],
    )
    def test_parameter_of_the_sign_in_itself_is_refused(self, name: str, hint: str) -> None:
        assert refusal_of(lambda: words.parse_authorize_parameter(f"{name}=hunter22")) == (
            f"--authorize-param cannot set {name}, which the sign-in sets itself. {hint}"
        )

    @pytest.mark.parametrize("text", ["work", "jane@example.com", "A-1_b+c", "x" * 64])
    def test_profile(self, text: str) -> None:
        assert words.parse_profile(text) == text

    @pytest.mark.parametrize("text", ["", ".", "../x", "a/b", "a b", "-x", "ü", "a\n", "x" * 65])
    def test_what_is_not_a_profile(self, text: str) -> None:
        assert refusal_of(lambda: words.parse_profile(text)) == (
            "--profile takes a name of letters, digits and . _ @ + - (64 at most). "
            "For example --profile work."
        )


class TestClient:
    @pytest.mark.promise("S2")
    def test_variables_are_replaced_in_values_whatever_is_in_them(self) -> None:
        text = '{"client_id": "${ID}", "client_secret": "x-${S}", "jwks": {"k": ["${S}", 1]}}'
        client = words.parse_client(text, {"ID": "me", "S": '"}\\ ü'}, files({}))
        assert json.loads(client.reveal()) == {
            "client_id": "me",
            "client_secret": 'x-"}\\ ü',
            "jwks": {"k": ['"}\\ ü', 1]},
        }
        assert "me" not in repr(client)

    @given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
    def test_any_secret_survives(self, secret: str) -> None:
        text = '{"client_id": "a", "client_secret": "${S}"}'
        client = words.parse_client(text, {"S": secret}, files({}))
        assert json.loads(client.reveal())["client_secret"] == secret

    def test_file_behind_an_at_sign(self) -> None:
        known = files({"/home/jane/c.json": '{"client_id": "${ID}"}\n'})
        environment = {"HOME": "/home/jane", "ID": "me", "D": "/home/jane"}
        for text in ("@~/c.json", "@${D}/c.json"):
            client = words.parse_client(text, environment, known)
            assert json.loads(client.reveal()) == {"client_id": "me"}

    def test_variable_alone_stands_for_the_whole_object(self) -> None:
        client = words.parse_client(" ${C} ", {"C": '{"client_id": "${X}"}', "X": "y"}, files({}))
        assert json.loads(client.reveal()) == {"client_id": "y"}

    @pytest.mark.promise("S2")
    @pytest.mark.parametrize(
        "text",
        [
            *("", "hunter22", "[]", '"hunter22"', "null", '{"client_id": hunter22}', "[" * 99999),
            nested(5000),
            # The sign-in would not read it, hours later.
            *('{"n": NaN}', '{"n": -Infinity}', '{"n": 1e999}', '{"n": "\\ud800"}', "{'n': 1}"),
            *('{"n": "\udcff"}', '{"n": "${BYTES}"}', f'{{"n": [{"0," * 10_000}0]}}'),
        ],
    )
    def test_what_is_not_an_object_is_not_repeated(self, text: str) -> None:
        for option, parse in ((INFO, words.parse_client), (METADATA, words.parse_client_metadata)):
            assert refusal_of(lambda parse=parse: parse(text, BYTES, files({}))) == (
                f"{option} is not a JSON object. Give {option} an object such as "
                '{"client_id": "..."}, or the name of a file with one behind an @.'
            )

    @pytest.mark.parametrize("depth", [450, 600, 900])
    def test_an_object_of_any_depth_is_one_or_is_refused(self, depth: int) -> None:
        """How deep is too deep is for Python to say."""
        assert words.parse_client(nested(100), {}, files({})) == Secret(nested(100))
        try:
            said = words.parse_client(nested(depth), {}, files({})).reveal()
        except UsageError as error:
            said = error.cause
        assert said in (nested(depth), f"{INFO} is not a JSON object.")

    def test_file_without_an_object_is_named(self) -> None:
        known = files({"c.json": "hunter22"})
        assert refusal_of(lambda: words.parse_client("@c.json", {}, known)).startswith(
            f"{INFO}: c.json is not a JSON object. "
        )
        assert refusal_of(lambda: words.parse_client("@gone.json", {}, known)) == (
            f"{INFO}: cannot read gone.json: No such file or directory. "
            "Give the full path of a file you may read."
        )

    def test_variable_that_is_not_set_is_named(self) -> None:
        text = '{"client_id": "a", "client_secret": "${SECRET}"}'
        assert refusal_of(lambda: words.parse_client(text, {}, files({}))).startswith(
            "${SECRET} is used, but no environment variable of that name is set. "
        )

    @pytest.mark.parametrize(
        ("text", "name"),
        [
            ("{}", "client_id"),
            ('{"client_id": ""}', "client_id"),
            ('{"client_id": 7}', "client_id"),
            ('{"client_id": "a", "client_secret": ["hunter22"]}', "client_secret"),
            ('{"client_id": "a", "client_secret": ""}', "client_secret"),
        ],
    )
    def test_client_needs_an_id_and_strings(self, text: str, name: str) -> None:
        assert refusal_of(lambda: words.parse_client(text, {}, files({}))) == (
            f'"{name}" in {INFO} must be a string that is not empty. '
            'The least is {"client_id": "..."}.'
        )

    @pytest.mark.parametrize("uris", ['"http://localhost/"', "[1]", '[""]', "{}"])
    def test_redirect_uris_are_a_list_of_strings(self, uris: str) -> None:
        text = f'{{"client_id": "a", "redirect_uris": {uris}}}'
        assert refusal_of(lambda: words.parse_client(text, {}, files({}))) == (
            f'"redirect_uris" in {INFO} is not a list of strings. '
            'For example ["http://localhost:3334/oauth/callback"].'
        )

    @pytest.mark.report("S1")
    def test_issuer_is_one(self) -> None:
        text = '{"client_id": "a", "issuer": "${ISSUER}"}'
        client = words.parse_client(text, {"ISSUER": "https://a.example/x"}, files({}))
        assert json.loads(client.reveal())["issuer"] == "https://a.example/x"

    @pytest.mark.report("S1")
    @pytest.mark.parametrize("issuer", ["", "a.example", 7, None, [], "http://a.example"])
    def test_what_is_not_an_issuer_is_named(self, issuer: object) -> None:
        text = json.dumps({"client_id": "a", "issuer": issuer})
        refusal = refusal_of(lambda: words.parse_client(text, {}, files({})))
        wrong = (
            "plain http to another machine" if issuer == "http://a.example" else "not an https URL"
        )
        assert refusal.startswith(f'"issuer" in {INFO} is {wrong}. ')

    def test_metadata_needs_no_id(self) -> None:
        text = '{"scope": "${S}", "client_name": "Math"}'
        metadata = words.parse_client_metadata(text, {"S": "read"}, files({}))
        assert json.loads(metadata) == {"scope": "read", "client_name": "Math"}


class TestSecrets:
    @pytest.mark.promise("S2")
    def test_secrets_of_the_client_are_known(self) -> None:
        client = Secret(
            '{"client_id": "public", "client_secret": "s 1", "registration_access_token": "t1"}'
        )
        settings = ProxySettings(
            parse_server_url("https://e.com/"), sign_in=SignInSettings(static_client=client)
        )
        assert set(settings.secrets) == {Secret("s 1"), Secret("t1")}

    @pytest.mark.promise("S2")
    @pytest.mark.parametrize("kind", [LogoutSettings, StatusSettings])
    def test_secrets_of_the_address_are_known_to_every_command(
        self, kind: type[LogoutSettings] | type[StatusSettings]
    ) -> None:
        server = parse_server_url("https://e.com/mcp?key=abcdefgh%3D")
        secrets = kind(SessionPattern(server)).secrets
        assert set(secrets) == {Secret("abcdefgh%3D"), Secret("abcdefgh=")}
        assert kind().secrets == ()
