"""The targets: a name, what any bytes are checked for, and bytes to begin with.

One table for both drivers: `python -m tests.fuzz` (for as long as one likes, led by coverage) and
`test_targets` (the corpus and a few changes of it, in the gate). An input that has ever shown a
fault is a file in `corpus/NAME`. One file: it is a table.
"""

# ruff: noqa: E501 - one input is one line
from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from mcp_remote_py.cli.options import ALL_OPTIONS
from mcp_remote_py.cli.program import COMMANDS
from mcp_remote_py.credentials.store import encode_credential, encode_pending
from tests.credentials.contract import FULL
from tests.credentials.test_sealed import PENDING
from tests.fuzz import kept, signing_in, typed, whole_sign_in, wire
from tests.hosts.config_files import CONFIG_FILES
from tests.net.corpus import ILLEGAL, LEGAL

CORPUS = Path(__file__).parent / "corpus"

MAX_INPUT_BYTES = 2048
"""Of an input that a driver makes; what the corpus has may be longer."""


class Target(NamedTuple):
    """`check` raises where a property does not hold; `words` are what a driver puts together."""

    name: str
    check: Callable[[bytes], None]
    seeds: tuple[bytes, ...]
    words: tuple[bytes, ...]

    def inputs(self) -> Iterator[bytes]:
        """The seeds, and the corpus in its order."""
        yield from self.seeds
        for path in sorted((CORPUS / self.name).glob("*")):
            yield path.read_bytes()


def _whole_snapshot(initialize: bytes, tools: bytes) -> bytes:
    """The file that is made of these two."""
    parts = (kept.SNAPSHOT_HEAD, b',"initialize":', initialize, b',"tools":', tools, b"}")
    return b"".join(parts)


def _split(text: str) -> tuple[bytes, ...]:
    """Words of a table, separated by blanks; escapes as in Python."""
    return tuple(word.encode().decode("unicode_escape").encode("latin-1") for word in text.split())


_JSON_WORDS = _split(
    r'{ } [ ] : , " "" \\ \\u \\ud800 null true 1 -1 1e999 0.5 \n \r\n \t \xef\xbb\xbf'
)

STDIN = Target(
    "stdin",
    wire.check_stdin,
    tuple(
        b"\x00" + one
        for one in (
            b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"a","version":"1"}}}\n'
            b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n{"jsonrpc":"2.0","id":"a","method":"tools/list"}\n',
            b'[{"jsonrpc":"2.0","id":1,"method":"ping"},{"id":1},3]\r\n{"id":null,"method":"x"}\n',
            b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"a","_meta":{"progressToken":7}}}\n'
            b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}\n',
            b'\xef\xbb\xbf{"id":1.0,"method":"ping"}\n\n{"id":'
            + b"1" * 500
            + b',"method":"a"}\n{"id":5,"result":{}}',
            b'{"id":2,"method":"server/discover","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}\n',
        )
    ),
    (
        *_JSON_WORDS,
        *_split(
            '"jsonrpc" "2.0" "id" "method" "params" "result" "error" "initialize" "ping" "tools/list"'
        ),
    ),
)
HTTP1 = Target(
    "http1",
    wire.check_http1,
    tuple(b"\x00" + case.wire for case in (*LEGAL, *ILLEGAL) if len(case.wire) < MAX_INPUT_BYTES),
    _split(
        r"HTTP/1.1\x20200\x20OK\r\n HTTP/1.0 HTTP/1.1\x20102\x20W\r\n\r\n \r\n \n \r \r\n\r\n \n\n"
        r" Content-Length: Transfer-Encoding:\x20chunked\r\n Connection:\x20close\r\n 0\r\n\r\n"
        r" 1\r\nx\r\n 5;a=b\r\n A:\x20b\r\n \x20 \t , 0x 204 304 101"
    ),
)
SSE = Target(
    "sse",
    wire.check_sse,
    tuple(
        b"\x05" + one
        for one in (
            b"id: 1\nevent: message\ndata: {}\n\n",
            b"\xef\xbb\xbfdata\r\rdata:a\r\ndata:\r\n\r\n:x\n\nretry: 5\n\n",
            b"id: 1\0\ndata: " + b"x" * 199 + b"\n\ndata: y",
            b"event:endpoint\ndata:/m?s=1\n\n",
        )
    ),
    _split(r"data data: event: id: retry: \n \r \r\n \n\n : \x20 \0 \xef\xbb\xbf {} 7 99999999999"),
)
COMPRESSED = Target(
    "compressed",
    wire.check_compressed,
    (
        b"\x00\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\xae\x05\x00\x43\xbf\xa6\xa3\x02\x00\x00\x00",
        b"\x01x\x9c\xab\xae\x05\x00\x01u\x00\xf9",
        b'\x00{"plain":1}',
        *(bytes([way]) + b"abc" * 60 for way in (*range(128, 192, 9), *range(208, 256, 6))),
    ),
    _split(r"\x1f\x8b\x08\x00 x\x9c \x00\x00\xff\xff {} data:"),
)
CHALLENGE = Target(
    "challenge",
    signing_in.check_challenge,
    (
        b'Bearer resource_metadata="https://a.example/.well-known/oauth-protected-resource", scope="a b"',
        b'Basic realm="x", DPoP algs="ES256 RS256", error="use_dpop_nonce", Bearer error=invalid_token',
        b'Bearer error_description="a \\"b\\" \xc3\xa9", error_uri=/x, resource_metadata_url=</m>',
        b"Negotiate abc==, Bearer",
    ),
    _split(
        r'Bearer\x20 DPoP\x20 Basic\x20 , = " "" \\ \\" scope=" error= resource_metadata= https:// algs= /m \x00 \r\n abc=='
    ),
)
_SERVER_METADATA = {
    "issuer": signing_in.ISSUER,
    "authorization_endpoint": "https://login.example/a",
    "token_endpoint": "https://login.example/t",
    "registration_endpoint": "https://login.example/r",
    "revocation_endpoint": "http://127.0.0.1:9/v",
    "device_authorization_endpoint": "/device",
    "scopes_supported": ["a", "offline_access"],
    "grant_types_supported": "authorization_code refresh_token",
    "code_challenge_methods_supported": ["S256"],
    "authorization_response_iss_parameter_supported": "true",
}
_RESOURCE_METADATA = {
    "resource": "https://mcp.example/mcp",
    "authorization_servers": [signing_in.ISSUER],
    "scopes_supported": ["a"],
    "dpop_signing_alg_values_supported": ["ES256"],
}
METADATA = Target(
    "metadata",
    signing_in.check_metadata,
    tuple(
        json.dumps(one).encode()
        for one in (_SERVER_METADATA, _RESOURCE_METADATA, _SERVER_METADATA | _RESOURCE_METADATA)
    ),
    (
        *_JSON_WORDS,
        *(json.dumps(name).encode() for name in (*_SERVER_METADATA, *_RESOURCE_METADATA)),
        *_split("https:// http:// @ # ? // localhost [::1] %2f {tenantid} S256"),
    ),
)
_REGISTERED = b'{"client_id":"c","redirect_uris":["http://localhost:3334/oauth/callback"],"token_endpoint_auth_method":"none"}'
_TOKENS = b'{"access_token":"abc","refresh_token":"r","expires_in":60,"id_token":"e30.e30.e30"}'
_DOCUMENTS = [json.dumps(one).encode() for one in (_RESOURCE_METADATA, _SERVER_METADATA)]
SIGN_IN = Target(
    "sign_in",
    whole_sign_in.check_sign_in,
    whole_sign_in.join_answers(
        (*_DOCUMENTS, _REGISTERED, _TOKENS, b"", b"iss=https://login.example/tenant"),
        (*_DOCUMENTS, b"", b"400\nRetry-After: 5\n\n" + b'{"error":"invalid_grant"}'),
        (*_DOCUMENTS, b'403\n\n{"error":"insufficient_scope"}', _TOKENS),
        (b"404\n\n", b"502\n\n", b"308\nLocation: /register/\n\n"),
        (
            *_DOCUMENTS,
            _REGISTERED,
            b"307\nLocation: /t2\n\n",
            b"",
            b"error=access_denied&error_description=no",
        ),
        (
            *_DOCUMENTS,
            b'{"client_id":"c","client_secret":"s+/=","token_endpoint_auth_method":null}',
            _TOKENS,
        ),
    ),
    (
        *_JSON_WORDS,
        *(json.dumps(name).encode() for name in (*_SERVER_METADATA, *_RESOURCE_METADATA)),
        *_split(
            r"https:// http:// @ # ?state=x ?client_id= & \n--\n 400\n\n 200\n\n 308\nLocation:\x20/ Retry-After: invalid_client invalid_scope S256 state= iss= code= error= dpop"
        ),
    ),
)
_DEVICE = b'{"device_code":"canary-device-8fj2kd92","user_code":"WDJB-MJHT","verification_uri":"https://login.example/device","expires_in":1800,"interval":5}'
DEVICE = Target(
    "device",
    whole_sign_in.check_device,
    whole_sign_in.join_answers(
        (_DEVICE, b'400\n\n{"error":"authorization_pending"}', _TOKENS),
        (_DEVICE, b'400\n\n{"error":"slow_down"}', b"503\nRetry-After: 3\n\n", _TOKENS),
        (_DEVICE, b'400\n\n{"error":"access_denied"}'),
        (_DEVICE, b'400\n\n{"error":"expired_token"}'),
        (
            _DEVICE,
            b'{"error":"invalid_grant","error_description":"canary-device-8fj2kd92"}',
        ),
        (_DEVICE.replace(b"uri", b"url").replace(b"https", b"http"), _TOKENS),
        (b'401\n\n{"error":"invalid_client"}', _TOKENS),
        (_DEVICE, b"307\nLocation: /t/\n\n"),
    ),
    (
        *_JSON_WORDS,
        *_split(
            r'"device_code" "user_code" "verification_uri" "interval" "expires_in" "error" authorization_pending slow_down expired_token access_denied invalid_client canary-device-8fj2kd92 https:// http:// \n--\n 400\n\n 429\n 503\n\n 307\nLocation:\x20/ Retry-After: use_dpop_nonce'
        ),
    ),
)
TOKENS = Target(
    "tokens",
    signing_in.check_tokens,
    (
        b'\x00{"access_token":"abc","token_type":"Bearer","expires_in":3600,"refresh_token":"r","scope":"a b"}',
        b'\x01{"error":"invalid_grant","error_description":"no canary-code-8fj2kd92"}',
        b'\x38Date: Mon, 30 Nov 2026 09:00:00 GMT\nRetry-After: 7\n\n{"ok":true,"authed_user":{"access_token":"x"}}',
        b"\x00access_token=a&scope=b%20c&token_type=bearer",
        b'\x00{"data":{"session":{"accessToken":"q","expiresIn":"60"}},"id_token":"i"}',
        b"\x05<html><title>Error</title>canary-code-8fj2kd92",
        b'\x19Date: x\nDPoP-Nonce: n\n\n{"error":"use_dpop_nonce"}',
    ),
    (
        *_JSON_WORDS,
        *_split(
            '"access_token" "refresh_token" "expires_in" "error" "error_description" "scope" "token_type" "dpop" "data" "msg" canary-code-8fj2kd92 & = %00 %0d%0a Retry-After: Date: AADSTS650053 invalid_grant'
        ),
    ),
)
JWT = Target(
    "jwt",
    signing_in.check_jwt,
    (
        b'\x01{"iss":"https://login.example","aud":["https://mcp.example/mcp/"],"exp":1800000060,"scope":"read","sub":"me"}',
        b'\x13{"iss":"https://a/t/v2","aud":"00000003-0000-0000-c000-000000000000","scp":"x","exp":1,"email":"ann@example.org"}',
        b"\x00eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.c2ln",
        b'\x1d{"aud":["a","b","c","d"],"nbf":-1,"iat":1e99,"scope":["a",1,null]}',
    ),
    (
        *_JSON_WORDS,
        *_split(
            '"iss" "aud" "exp" "nbf" "iat" "scope" "scp" "sub" "email" https:// {tenantid} 1e11 \\x00 .'
        ),
    ),
)
_CALLBACK = b"/oauth/callback?code=c&state=" + signing_in.STATE.encode()
CALLBACK = Target(
    "callback",
    signing_in.check_callback,
    (
        b"\x00GET " + _CALLBACK + b" HTTP/1.1\r\nHost: localhost:4711\r\n\r\n",
        b"\x40GET " + _CALLBACK + b" HTTP/1.1\r\nHost: localhost:4711\r\n\r\n",
        b"\x00HEAD " + _CALLBACK + b" HTTP/1.1\r\nHost: 127.0.0.1:4711\r\n\r\n",
        b"\x00GET "
        + _CALLBACK
        + b"&state=x HTTP/1.1\r\nHost: [::1]:4711\r\nPurpose: prefetch\r\n\r\n",
        b"\x00POST /oauth/callback HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 3\r\n\r\nabc",
        b"\x00\x16\x03\x01",
        b"\x00http://localhost:4711" + _CALLBACK,
    ),
    _split(
        r"GET\x20 HEAD\x20 \x20HTTP/1.1\r\n Host:\x20localhost:4711\r\n \r\n\r\n ? & = %00 %zz # state= code= error= iss= /oauth/callback "
        + signing_in.STATE
    ),
)
_STATE = {
    "schema": 2,
    "server": kept.SERVER,
    "transport": "HTTP+SSE",
    "port": 3334,
    "signed_in_at": 1.5,
    "ledger": {
        "accepted": [1.0],
        "tabs": [1799999999.0],
        "vain_tabs": 1,
        "scopes": ["a"],
        "attempt_after": 1.0,
        "refusals_until": 2.0,
    },
}
RECORDS = Target(
    "records",
    kept.check_records,
    (
        b"\x00" + encode_credential(FULL),
        b"\x01" + encode_pending(PENDING),
        b"\x02" + json.dumps(_STATE).encode(),
        b"\x03mcp-remote-py sealed 1 fixed\nrrrrrrrrrrrr0123456789",
        b"\x03deleted\n",
        b"\x02{}",
    ),
    (
        *_JSON_WORDS,
        *_split(
            '"schema" "ledger" "tabs" "vain_tabs" "attempt_after" "attempted_at" "failed_attempts" "renew_after" -99 1e308 fixed sealed'
        ),
    ),
)
_SNAPSHOT = (
    b'{"protocolVersion":"2025-06-18","capabilities":{"prompts":{},"resources":{}},"serverInfo":{}}',
    b'{"tools":[{"name":"hidden-tool"},{"name":"add","annotations":{"readOnlyHint":true}}],"nextCursor":"2"}',
)
SNAPSHOTS = Target(
    "snapshots",
    kept.check_snapshots,
    (
        b"\x00" + _whole_snapshot(*_SNAPSHOT),
        b"\x01" + _whole_snapshot(b"[]", b'{"tools":{}}'),
        b"\x22" + _whole_snapshot(b"1", b"null"),
        b"\x80" + b"\0".join(_SNAPSHOT),
        b'\x84{"protocolVersion":"2026-07-28","capabilities":{}}\0{"tools":[{},1,null]}',
        b"\x00",
    ),
    (
        *_JSON_WORDS,
        *_split(
            '"protocolVersion" "2025-06-18" "2025-11-25" "capabilities" "tools" "nextCursor" "name" "hidden-tool" "annotations" "readOnlyHint" "schema" "session" "headers" "initialize" \\x00'
        ),
    ),
)
JSON_CONFIG = Target(
    "json_config",
    kept.check_json_config,
    (
        *(
            b"\x00" + one.content
            for one in CONFIG_FILES
            if one.form.name == "JSON" and len(one.content) < MAX_INPUT_BYTES
        ),
        b'\x00{"mcpServers":{"a":{"command":"x"}, // c\n"b":{},},}',
        b'\x01{"a":{"mcpServers":{}}}',
        b"\x00",
    ),
    (
        *_JSON_WORDS,
        *_split('"mcpServers" "a" "new" "command" "env" // /* */ ,} \\x20 \\r'),
        b'"a":{"url":"x"},\n',
        b"\n  ",
    ),
)
TOML_CONFIG = Target(
    "toml_config",
    kept.check_toml_config,
    (
        *(
            b"\x00" + one.content
            for one in CONFIG_FILES
            if one.form.name == "TOML" and len(one.content) < MAX_INPUT_BYTES
        ),
        b'\x00[mcp_servers.a]\ncommand = "x"\n[mcp_servers.a.env]\nK = "v"\n',
        b"\x00mcp_servers = { a = { command = 'x' } }\n",
        b"\x00mcp_servers.a.command = 'x'\r\n[[b]]\r\nx = 1979-05-27T07:32:00Z\r\n",
        b"\x01[a]\nmcp_servers.b = {}\n[c]",
    ),
    _split(
        r"[mcp_servers] [mcp_servers.a] [[mcp_servers.a]] mcp_servers. mcp_servers = { } [ ] ' \" \"\"\" ''' # \n \r\n \t . , a.b \x20 1979-05-27 0x1 nan \\u0061 \\ new command env"
    ),
)
HEADERS = Target(
    "headers",
    typed.check_headers,
    (
        b"Authorization: Bearer ${T}",
        b"# a\r\nX-A:b\r\n\t${N} : ${T}\n",
        b"X-A: ${CR}",
        b"Authorization: Bearer",
        b"X-A: \xe2\x80\x9csecret-value-12345\xe2\x80\x9d",
        b"X-A ${NOPE} ${E}",
    ),
    _split(
        r"${T} ${E} ${B} ${CR} ${N} ${NUL} ${ } $ : \x20 \t \r\n \n \x00 \x85 \xc2\x85 \xe2\x80\xa8 Authorization Bearer Proxy- Host Content-Length ~/"
    ),
)
_URL = "https://example.com/mcp"
_LINES = (
    f"{_URL} 3334 --header 'Authorization: Bearer ${{T}}' --debug",
    f"login {_URL} --scope 'a b' --profile=work --ipv4 --connect-timeout 5",
    "logout --all --profile work",
    f"status {_URL}?key={typed.TYPED} --json",
    f"install math {_URL} --header=X-Key:${{T}} --client cursor --print",
    "uninstall math --dry-run -y",
    "check math --client all --report r.md",
    f"npx -y mcp-remote {_URL} --transport sse-first --allow-http",
    f"""{_URL} --static-oauth-client-info '{{"client_id":"c","client_secret":"{typed.TYPED}"}}'""",
    f"{_URL} --header Authorization: Bearer {typed.TYPED}",
    f"""{_URL} --header-command "a 'b c'" --initialize-timeout 0""",
    "https://x.lambda-url.eu-west-1.on.aws/ --aws-sigv4 --metadata AWS_REGION=eu-west-1",
    f"{_URL} --idp-token-endpoint {_URL} --idp-client-id=-x --idp-id-token ${{T}}"
    """ --static-oauth-client-info '{"client_id":"c"}'""",
    f"{_URL} --authorize-param=prompt=consent --resource '' --max-message-size 5MB --allow-tool *",
    "completion bash",
)
COMMAND_LINE = Target(
    "command_line",
    typed.check_command_line,
    tuple(bytes([way]) + "\0".join(shlex.split(line)).encode() for way, line in enumerate(_LINES)),
    (
        *(b"\0%b\0" % option.name.encode() for option in ALL_OPTIONS),
        *(name.encode() + b"\0" for name in COMMANDS),
        *_split(
            r"\x00 \x00--\x00 = -- - : :// https://example.com/mcp http://localhost:8000/ ${T} ${E} ${NOPE} ${input:a} @ { [ ] } , \x20 ' \" 5 0.5 canary/8fj2+kd92m= Bearer Authorization: X-A:b =true \xff \xe2\x80\x9c uvx npx\x00-y\x00mcp-remote\x00 ~/ #"
        ),
    ),
)
_CLIENT = b'{"client_id":"c","client_secret":"canary/8fj2+kd92m=","redirect_uris":["http://localhost:3334/oauth/callback"],"token_endpoint_auth_method":"client_secret_post","issuer":"https://login.example"}'
NAMED_FILES = Target(
    "named_files",
    typed.check_named_files,
    (
        b"# a\r\nAuthorization: Bearer ${T}\r\nX-A:b\n",
        b"\xef\xbb\xbfX-A: canary/8fj2+kd92m=",
        _CLIENT,
        b'{"client_id":"${T}"}',
        b'{"kty":"EC","crv":"P-256"}',
        b"-----BEGIN PRIVATE KEY-----\ncanary/8fj2+kd92m=\n-----END PRIVATE KEY-----\n",
        b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
        b"eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.c2ln\n",
        b"\xff\xfeX\0",
    ),
    (
        *_JSON_WORDS,
        *_split(
            r"-----BEGIN\x20 PRIVATE\x20KEY----- CERTIFICATE----- -----END\x20 ENCRYPTED canary/8fj2+kd92m= ${T} ${NOPE} Authorization: X-A: \x00 \xff . # @"
        ),
    ),
)
STATIC_CLIENT = Target(
    "static_client",
    typed.check_static_client,
    (
        _CLIENT,
        b'{"client_id":"${T}","client_secret":"a\\u00e9 %+"}',
        b'{"client_id":"c","token_endpoint_auth_method":null,"redirect_uris":[]}',
        b'{"client_id":"c","n":[1.0,1e400,{"a":NaN}]}',
        b"${T}",
        b"@client.json",
    ),
    (
        *_JSON_WORDS,
        *_split(
            '"client_id" "client_secret" "redirect_uris" "token_endpoint_auth_method" "none" "client_secret_basic" "issuer" https:// http://127.0.0.1:1/oauth/callback canary/8fj2+kd92m= ${T} ${E} ${NOPE} NaN Infinity'
        ),
        b"[" * 300,
    ),
)

TARGETS = (
    *(STDIN, HTTP1, SSE, COMPRESSED, CHALLENGE, METADATA, SIGN_IN, DEVICE, TOKENS, JWT, CALLBACK),
    *(RECORDS, SNAPSHOTS, JSON_CONFIG, TOML_CONFIG),
    *(HEADERS, COMMAND_LINE, NAMED_FILES, STATIC_CLIENT),
)
