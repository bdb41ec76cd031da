"""What is secret stays secret, wherever a text goes."""

from __future__ import annotations

import base64
import html
import json
import pickle
import re
import time
from collections.abc import Callable
from urllib.parse import quote, quote_plus, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_remote_py.key_shapes import may_be_key
from mcp_remote_py.redact import (
    MASK,
    MAX_PATH_LENGTH,
    MAX_TOKENS_KNOWN,
    Secret,
    mask_host,
    mask_path,
    mask_url,
    remember,
    remember_briefly,
    remember_tokens,
    scrub,
    scrub_known,
    secrets_in_path,
    secrets_in_url,
    tokens_in_word,
)


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


HEX = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b"


@pytest.mark.promise("S2")
@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("token.txt", "token.txt"),
        ("certs/ca.pem", "certs/ca.pem"),
        ("my client-2024.json", "my client-2024.json"),
        ("/home/ab12cd34ef/x", "/home/ab12cd34ef/x"),
        ("~/.keys/ab12cd34ef", "~/.keys/ab12cd34ef"),
        ("../ab12cd34ef", "../ab12cd34ef"),
        ("C:\\x\\ab12cd34ef", "C:\\x\\ab12cd34ef"),
        ("", ""),
        ("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.c2ln", "eyJh****"),
        ("canary/8fj2+kd92m=", "canary/****"),
        ("keys\\ab12cd34ef", "keys\\****"),
        ("Authorization: Bearer canary", "****"),
        ("-----BEGIN PRIVATE KEY-----\ncanary\n", "****"),
        ('{client_id: c, client_secret: "pässword"}', "****"),
        (' {"client_secret":"canary"}', "****"),
    ],
)
def test_what_stands_in_place_of_a_files_name_may_be_a_secret(path: str, shown: str) -> None:
    assert mask_path(path) == shown
    secrets = [secret.reveal() for secret in secrets_in_path(path)]
    assert bool(secrets) == (shown != path)
    assert all(secret in path and secret not in shown for secret in secrets)


@pytest.mark.parametrize("beginning", ["/x/", "x "])
def test_of_a_name_that_no_file_can_have_the_beginning_is_shown(beginning: str) -> None:
    path = beginning + "a" * 5000
    assert mask_path(path).startswith(beginning)
    assert len(mask_path(path)) <= MAX_PATH_LENGTH + 1


def test_what_a_person_needs_to_find_the_wrong_word_is_not_a_secret() -> None:
    lines = "-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----\n"
    for path in (lines, "Authorization: canary"):
        assert [secret.reveal() for secret in secrets_in_path(path)] == ["canary"]


@pytest.mark.promise("S2")
@pytest.mark.parametrize(
    ("word", "tokens"),
    [
        ("read ghp_Ab3dE5gH7jK9mN1pQ3s write", ["ghp_Ab3dE5gH7jK9mN1pQ3s"]),
        ("key=sk_live_51H8xQ2eZvKYlo2C", ["sk_live_51H8xQ2eZvKYlo2C"]),
        ("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.c2ln", ["eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.c2ln"]),
        (HEX, [HEX]),
        (
            "github_pat_11ABCDEFG0x7Kp2q4Zt9_Lm3Wv8Rs6YnB",
            ["github_pat_11ABCDEFG0x7Kp2q4Zt9_Lm3Wv8Rs6YnB"],
        ),
        ("Authorization: Bearer canary", ["Bearer canary"]),
        ('{\n  "client_id": "a",\n  "client_secret": "ghp_Ab3dE5gH7jK9"\n}', ["ghp_Ab3dE5gH7jK9"]),
        # Ids and names, which only look like keys.
        ("api://7c9e6679-7425-40de-944b-e07fc1f90ae7/mcp.tools offline_access", []),
        ("0oa8f9d7x2kdj3Qz5d7", []),
        ("yA7QqXk2fP0sD4nB8vL1mC6wR3tZ9hJ5", []),
        ("server_with_a_long_name_get_everything_v2", []),
        ("/home/ab12cd34ef/a/path/that/is/longer/than/any/key", []),
        ("", []),
    ],
)
def test_a_token_is_found_in_any_word_and_an_id_is_not_taken_for_one(
    word: str, tokens: list[str]
) -> None:
    assert [secret.reveal() for secret in tokens_in_word(word)] == tokens


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


# ------------------------------------------------------------------ keys in addresses

READABLE = """
    mcp sse v1 v2 v1beta1 v2alpha api rpc jsonrpc graphql messages message stream streamable
    events .well-known oauth-protected-resource openid-configuration oauth-authorization-server
    authorization-server authorize token register oauth oauth2 oidc callback tenants tenant1
    authv2 tenant42 acme acme-corp contoso contoso.onmicrosoft.com mcp-server mcp-server-production
    mcpserver mcp-http-server server server.json index.html docs login connect users user42
    projects my-project workspace workspaces team-alpha team_beta org organizations production
    staging eu-west-1 us-east-1a us-central1 2025-11-25 2025-06-18 2026-07-28 20251125
    gemini-pro:generateContent modelcontextprotocol internationalization realms realm-master
    auth adfs connect-server getUserName OAuthCallback customerService github gitlab notion
    linear.app asana slack stripe cloudflare atlassian jira confluence sentry paypal square
    intercom zapier hubspot figma canva vercel supabase neon context7 deepwiki exa huggingface
    playwright browserbase port8080 8080 443 12345 k8s i18n utf8 base64 sha256 h264 ipv6 s3 ec2
    python3 web3 node20 ~user @scope mcp-remote-py a-long-name-without-any-digit
    anotherlongcompany knowledge-base kb-search hr-portal crm-connector billing-service
    invoice-42 test dev qa prod-eu public v3.1 1.0.0 r4 fhir dicom-web größe résumé straße
    access address business class-room %C3%A4rzte hello%20world data%2Dset mcp%2Fserver
""".split()
"""Segments of paths as servers have them, which people must be able to read."""

KEYS = """
    dXNlcjpwYXNzd29yZA== c2VjcmV0LWtleS0xMjM0NTY= c2VjcmV0LWtleS0xMjM0NTY%3D
    dXNlcjpwYXNzd29yZA%3D%3D dXNlcjpwYXNzd29yZA%253D%253D user42:deadbeefcafe
    user42:0123456789abcdef user%3A0123456789abcdef abcdefghijklmnopqrstuvwxyzabcdef
    qwertyuiopasdfghjklzxcvbnmqwerty ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF kxqzjvbwpfkmxqzt
    lkjwqpeoruztyalk correcthorsebatterystaple 550e8400-e29b-41d4-a716-446655440000
    550E8400-E29B-41D4-A716-446655440000 550e8400e29b41d4a716446655440000
    %7B550e8400-e29b-41d4-a716-446655440000%7D eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-DEF_123
    0123456789abcdef deadbeefdeadbeef DEADBEEFCAFEBABE 0a1b2c3d4e5f6a7b8c9d0e
    sk-live-0123456789abcdef01 sk_test_4eC39HqLyjWDarjtT1zdp7dc
    ghp_16C7e42F292c6912E7710c838347Ae178B4a xoxb-123456789012-abcdefGHIJ AKIAIOSFODNN7EXAMPLE
    AIzaSyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY A1B2C-D3E4F-G5H6I ab12-cd34-ef56-gh78
    ab12.cd34.ef56.gh78 ab12~cd34~ef56~gh78 ab12:cd34:ef56:gh78 a1b2,c3d4,e5f6 a1_b2_c3_d4_e5
    x7Kp2q4Z hk7wqpzrtv JBSWY3DPEHPK3PXP MFRGGZDFMZTWQ2LK token=abc key=s3cret
    ;jsessionid=1A2B3C apikey:9f8e7d6c 123456789012 1234-5678-9012-3456 98765432101
    bot123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11 pk.eyJ1IjoiYSJ9.x9 v1.0a1b2c3d4e5f
    QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPBdG 7Fh3kZ9q Zm9vYmFyYmF6 aGVsbG8gd29ybGQhIQ
    bm90LWEtc2VjcmV0 -0123456789abcdef- s3cr3tP4ssw0rd hunter2:hunter22 4d7f9a1c
    efgh-ijkl-mnop-qrst 01HZX3K5V7Q9N2M4P6R8T0W1Y3 clh3v8x9k0000qw08 a%2Bb%2Fc1d2e3f4%3D
    5f4dcc3b5aa765d61d8327deb882cf99 Basic%20dXNlcjpw tk%5f9a8b7c6d5e4f xoxb-123-456-abc
    sk-a-b-c-123 ghp_abc_123
""".split()
"""Segments that are keys, or may be."""


@pytest.mark.report("O22")
@pytest.mark.parametrize("segment", READABLE)
def test_ordinary_paths_stay_readable(segment: str) -> None:
    url = f"https://example.com/{segment}/mcp"
    assert mask_url(url) == url
    assert secrets_in_url(url) == ()


@pytest.mark.promise("S2")
@pytest.mark.report("O22")
@pytest.mark.parametrize("key", KEYS)
def test_a_segment_that_may_be_a_key_is_never_shown_whole(key: str) -> None:
    for url in (f"https://e.com/{key}", f"https://e.com/s/{key}/mcp", f"https://e.com/?{key}"):
        masked = mask_url(url)
        assert MASK in masked
        assert key[5:] not in masked
        assert unquote(key)[5:] not in masked
        if "?" not in url:
            assert key not in scrub(f"no path {url} ({unquote(key)})", secrets_in_url(url))


@pytest.mark.promise("S2")
@pytest.mark.report("O22")
@pytest.mark.parametrize("name", ["key", "api-key", "apikey", "token", "access_token", "SECRET"])
def test_what_stands_behind_its_name_is_a_key(name: str) -> None:
    assert mask_url(f"https://e.com/{name}/hunter2/mcp") == f"https://e.com/{name}/****/mcp"
    assert {one.reveal() for one in secrets_in_url(f"https://e.com/{name}/hunter2")} == {"hunter2"}
    for readable in ("v1", "mcp", "introspect"):
        url = f"https://e.com/{name}/{readable}"
        assert (mask_url(url), secrets_in_url(url)) == (url, ())


@given(st.binary(min_size=16, max_size=32), st.sampled_from(["hex", "base64", "url", "base32"]))
def test_random_bytes_are_a_key_in_any_encoding(data: bytes, encoding: str) -> None:
    encoded = {
        "hex": data.hex(),
        "base64": base64.b64encode(data).decode(),
        "url": base64.urlsafe_b64encode(data).decode().rstrip("="),
        "base32": base64.b32encode(data).decode(),
    }[encoding]
    if len(set(data)) > 8:  # not one byte again and again
        assert may_be_key(encoded.replace("/", "_"))


@pytest.mark.parametrize(
    ("url", "secrets"),
    [
        ("https://e.com/mcp?mode=fast&x=1", set[str]()),
        ("https://e.com/mcp?key=abcdefgh%3D", {"abcdefgh%3D", "abcdefgh="}),
        ("https://e.com/mcp?key=x7Kp2q", {"x7Kp2q"}),
        ("https://u:p@e.com/0a1b2c3d4e5f/mcp#0a1b2c3d4e5f", {"0a1b2c3d4e5f"}),
        ("", set[str]()),
    ],
)
def test_what_is_secret_in_an_address(url: str, secrets: set[str]) -> None:
    assert {secret.reveal() for secret in secrets_in_url(url)} == secrets


HOSTS = """
    mcp.example.com localhost 127.0.0.1 [2001:db8::1] sk-telecom2.example.com pk-1.example.com
    sk-eu1-prod.example.sk xoxo-party24.example.com rk-node-7.example.com
    abcdefghijklmnopqrst.supabase.co a1b2c3d4e5.execute-api.us-east-1.amazonaws.com
    x7kq2mz4wv9rt3bn8pc5hd6jf1gs0yla.lambda-url.us-east-1.on.aws adb-1234567890123456.7.azure.net
    internal-lb-1234567890.us-east-1.elb.amazonaws.com app-9x8y7z6w5-team.vercel.app
    k8s-default-ingress-0a1b2c3d4e-1234567890.elb.example.com
    app.whitedesert-079129c1.eastus.azurecontainerapps.io 4f3a-2001-db8-1.ngrok-free.app
    user-fictional-waddle-9x7w6v5r4-3000.app.github.dev hf-mcp-server.hf.space
    550e8400-e29b-41d4-a716-446655440000.example.com d41d8cd98f00b204e9800998ecf8427e.example.com
    npm-mirror.internationalization-of-things-and-others.example.com
    eyjafjallajokull-hosting.example.is xn--bcher-kva.example
""".split()
"""Names of hosts that people must be able to read, and ids in them."""

HOST_TOKENS = """
    sk-live-0123456789abcdef01 sk_live_51H8xQ2eZvKYlo2C sk-proj-Zk8Qw3Xv7Lm2Np9R
    sk-ant-api03-x7Kp2q4Zt9Lm3Wv8 ghp_16C7e42F292c6912E7710c838347Ae178B4a xoxb-123456789012-abGH1J
    glpat-x7Kp2q4Zt9Lm3Wv8Rs6Y github_pat_11ABCDEFG0x7Kp2q4Zt9Lm3Wv8Rs6YnB
    hf_x7Kp2q4Zt9Lm3Wv8Rs6YnBcD npm_x7Kp2q4Zt9Lm3Wv8Rs6YnBcDx7Kp2q4Zt9Lm
    AIzaSyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY
    9f86d081884c7d659a2feaa0c55ad015a3bf4f1b eyJhbGciOiJIUzI1NiJ9
""".split()


@pytest.mark.parametrize("host", HOSTS)
def test_ordinary_hosts_stay_readable(host: str) -> None:
    for url in (f"https://{host}/mcp", f"https://{host}:8443/mcp"):
        assert mask_url(url) == url
        assert secrets_in_url(url) == ()


@pytest.mark.promise("S2")
@pytest.mark.report("O22")
@pytest.mark.parametrize("token", HOST_TOKENS)
@pytest.mark.parametrize("form", ["{}", "{}:443", "{}.example.com", "mcp.{}.example.com:8443"])
def test_token_in_place_of_a_host_is_never_shown_whole(token: str, form: str) -> None:
    host = form.format(token)
    url = f"https://{host}/mcp"
    said = f"{host} was not found, nor was {host.lower()}"
    for shown in (mask_url(url), mask_host(host), scrub(said, secrets_in_url(url))):
        assert MASK in shown
        assert token[5:].lower() not in shown.lower()
    assert mask_host(host) == form.format(f"{token[:4]}{MASK}" if len(token) >= 20 else MASK)


@given(st.text())
def test_any_text_may_be_asked_about(text: str) -> None:
    assert may_be_key(text) in (True, False)
    secrets_in_url(text)


# ------------------------------------------------------------------ every spelling

PASSWORD = "p+w/x=y&z 'q\"<ü"
PAIR = f"client-1:{PASSWORD}"
BASIC = base64.b64encode(PAIR.encode()).decode()
FORM = base64.b64encode(f"client%2D1:{quote(PASSWORD, safe='')}".encode()).decode()


def lower_hex(text: str) -> str:
    return re.sub("%[0-9A-F]{2}", lambda match: match[0].lower(), text)


SPELLINGS: list[Callable[[str], str]] = [
    str,
    lambda text: quote(text, safe=""),
    lambda text: quote(text),
    lambda text: lower_hex(quote(text, safe="")),
    quote_plus,
    lambda text: quote(quote(text, safe=""), safe=""),
    lambda text: json.dumps(text)[1:-1],
    lambda text: json.dumps(json.dumps(text))[3:-3],
    lambda text: json.dumps(text).replace("/", "\\/")[1:-1],
    lambda text: "".join(c if c.isalnum() else f"\\u{ord(c):04X}" for c in text),
    lambda text: "".join(f"\\u{ord(c):04x}" for c in text),
    html.escape,
    lambda text: "".join(c if c.isalnum() else f"&#{ord(c)};" for c in text),
    lambda text: "".join(c if c.isalnum() else f"&#x{ord(c):X};" for c in text),
]


@pytest.mark.promise("S2")
@pytest.mark.report("S17")
@pytest.mark.parametrize("spell", SPELLINGS)
@pytest.mark.parametrize("secret", [PASSWORD, f"Bearer {PASSWORD}", "eyJ.a-b_c~d", "1/0a+b9=="])
def test_a_secret_is_found_in_every_spelling(secret: str, spell: Callable[[str], str]) -> None:
    sought = secret.removeprefix("Bearer ")
    for one in (secret, sought):
        text = scrub(f'{{"said": "{spell(one)}"}}', [Secret(secret)])
        assert text in (f'{{"said": "{MASK}"}}', f'{{"said": "Bearer {MASK}"}}')


@pytest.mark.promise("S2")
@pytest.mark.report("S17")
@pytest.mark.parametrize("basic", [BASIC, FORM])
def test_basic_goes_in_every_spelling_and_with_what_it_stands_for(basic: str) -> None:
    secrets = [Secret(f"Basic {basic}")]
    spellings = [
        *(spell(basic) for spell in SPELLINGS),
        basic.rstrip("="),
        basic.replace("+", "-").replace("/", "_"),
        basic.replace("+", "-").replace("/", "_").rstrip("="),
        PASSWORD,
        quote(PASSWORD, safe=""),
    ]
    for spelling in spellings:
        text = scrub(f"got [{spelling}]", secrets)
        assert re.fullmatch(r"got \[\*{4}(=|%(25)?3D|%3d|\\\\u003[dD]|&#61;|&#x3D;)*\]", text)


@pytest.mark.report("S17")
def test_what_is_cut_is_scrubbed_from_the_first_half_on() -> None:
    secret = "abcdefgh-ijklmnop-0123456789"
    for length in range(len(secret) // 2, len(secret)):
        for end in ("", "…", "...", " x"):
            assert scrub(secret[:length] + end, [Secret(secret)]) == MASK + end
    assert scrub("abcdefgh", [Secret(secret)]) == "abcdefgh"


@pytest.mark.report("S17")
def test_what_is_named_in_a_cookie_or_stands_in_a_line_of_a_key_goes_alone() -> None:
    cookie = Secret("session=0a1b2c3d4e; theme=dark")
    assert scrub("no session 0a1b2c3d4e, theme dark", [cookie]) == "no session ****, theme dark"
    key = Secret(
        "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMG\nByqGSM49AgEG\n-----END PRIVATE KEY-----"
    )
    assert scrub("bad line ByqGSM49AgEG", [key]) == "bad line ****"


@pytest.mark.promise("S2")
def test_what_is_sent_once_is_known_for_a_while() -> None:
    remember_briefly(Secret("brief-0001"))
    assert scrub_known("a brief-0001 b") == "a **** b"
    for number in range(100):
        remember_briefly(Secret(f"brief-1{number:03}"))
    assert scrub_known("a brief-0001 b") == "a brief-0001 b"


@given(
    st.lists(st.text("ab%+/=2B&;#\\u0", min_size=4, max_size=20), max_size=4),
    st.text("ab%+/=2B&;#\\u0"),
)
def test_scrubbing_takes_any_text(values: list[str], text: str) -> None:
    scrubbed = scrub(text, map(Secret, values))
    for value in values:
        assert value not in scrubbed


@pytest.mark.report("S17")
@pytest.mark.parametrize(
    "piece",
    [
        "\\",
        "%",
        "&#",
        "&",
        "a",
        "%41",
        "\\u0041",
        "\\\\\\",
        "&#65;",
        "secret-0-abcdefgh",
        "secret-0-abc",
    ],
)
def test_evidence_of_any_kind_is_scrubbed_in_linear_time(piece: str) -> None:
    secrets = [Secret(f"secret-{number}-abcdefghijklmnop") for number in range(50)]
    secrets += [Secret("a" * 400), Secret("\\" * 400)]
    text = (piece * 65536)[:65536]
    begun = time.process_time()
    scrub(text, secrets)
    assert time.process_time() - begun < 1.0


@pytest.mark.promise("S2")
def test_of_tokens_that_are_renewed_for_weeks_the_last_are_known() -> None:
    tokens = [Secret(f"{number:05}-token") for number in range(5000)]
    kept = tokens[0]
    for token in tokens:
        remember_tokens((kept, token))  # as long as it is in use
    shown = [token for token in tokens if MASK not in scrub_known(f"<{token.reveal()}>")]
    assert shown == tokens[1 : 5001 - MAX_TOKENS_KNOWN]
