"""Words that say how to sign in, made into the values of `sign_in`.

Loaded where one is given. Must not know how anybody signs in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from mcp_remote_py.errors import UsageError
from mcp_remote_py.json_text import decode_json_object
from mcp_remote_py.patterns import lazy_pattern
from mcp_remote_py.redact import Secret
from mcp_remote_py.settings.urls import parse_plain_url
from mcp_remote_py.settings.words import (
    CONTROL,
    ReadText,
    expand_environment,
    expand_path,
    read_file_text,
)
from mcp_remote_py.url import LABEL, InvalidUrl, ServerUrl, parse_port

_PROFILE = lazy_pattern(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")
_CALLBACK_PATH = lazy_pattern(r"/(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*")
"""RFC 3986 §3.3, from the root."""
_DOT_SEGMENT = lazy_pattern(r"/\.\.?(?=/|$)")
"""Browsers take them out of a path (RFC 3986 §5.2.4), which then is another one."""
_SCOPE = lazy_pattern(r"[\x21\x23-\x5b\x5d-\x7e]+")
"""One scope (RFC 6749 §3.3)."""
_ABSOLUTE_URI = lazy_pattern(r"[A-Za-z][A-Za-z0-9+.-]*:[\x21\x23-\x5b\x5d\x5f-\x7e]+")
_PARAMETER_NAME = lazy_pattern(r"[A-Za-z0-9._~:\[\]-]{1,64}")
_ONE_VARIABLE = lazy_pattern(r"\s*\$\{[^{}]+\}\s*")
_OWN_PARAMETERS = {
    "response_type": "It is always code.",
    "response_mode": "The answer must come in the query.",
    "client_id": "Give the client by --static-oauth-client-info.",
    "redirect_uri": "Change it by PORT, --host and --callback-path.",
    "scope": "Give the scopes by --scope.",
    "resource": "Give the resource by --resource.",
    "state": "It protects this sign-in.",
    "code_challenge": "It protects this sign-in.",
    "code_challenge_method": "It protects this sign-in.",
    "dpop_jkt": "It protects this sign-in.",
}
"""Parameters that a sign-in sets itself (RFC 6749 §4.1.1, RFC 7636 §4.3, RFC 8707 §2, RFC 9449
§10), and what to do instead. A second value that disagrees comes back as an error nobody
understands."""


def parse_callback_port(text: str) -> int:
    """The port of the redirect URI.

    Raises:
        UsageError: it is not a port.
    """
    try:
        return parse_port(text)
    except InvalidUrl:
        raise UsageError(
            "The callback port behind the server URL is not a valid port.",
            hint="A port is a number from 1 to 65535.",
        ) from None


def parse_callback_host(text: str) -> str:
    """The host of the redirect URI, in brackets where it is an IPv6 address.

    Raises:
        UsageError: not this machine: the code would travel in plain text (RFC 8252 §8.3).
    """
    host = text.lower()
    if host in ("::1", "[::1]"):
        return "[::1]"
    labels = host.removesuffix(".").split(".")
    if all(map(LABEL.fullmatch, labels)) and ServerUrl("http", host, 80, "/").is_loopback:
        return host
    raise UsageError(
        "--host must name this machine, because the browser comes back by plain http.",
        hint="Write localhost, 127.0.0.1 or [::1].",
    )


def parse_callback_path(text: str) -> str:
    """The path of the redirect URI, byte for byte.

    Raises:
        UsageError: it does not begin at the root, or a browser would change it.
    """
    if not _CALLBACK_PATH.fullmatch(text) or _DOT_SEGMENT.search(text):
        raise UsageError(
            "--callback-path is not a path that a redirect URI can have.",
            hint="Begin with /, as in /oauth/callback, and leave out blanks, ? and #.",
        )
    return text


def parse_success_url(text: str, allow_http: bool = False) -> str:
    """The page that the browser goes to after the sign-in, byte for byte.

    Raises:
        UsageError: it is not such a URL, or says more than a place.
    """
    option = "--auth-success-url"
    parse_plain_url(text, option, "https://app.example.com/connected", allow_http)
    if "?" in text:
        raise UsageError(f"{option} has a query.", hint="Name the page only.")
    return text


def parse_client_metadata_url(text: str) -> str:
    """The URL of a client ID metadata document, byte for byte: it is the client's name.

    Raises:
        UsageError: not https, no path, or more than the draft allows in such a URL
            (draft-ietf-oauth-client-id-metadata-document §3).
    """
    option, form = "--client-metadata-url", "https://client.example.com/oauth-client.json"
    url = parse_plain_url(text, option, form)
    path = url.target.partition("?")[0]
    if url.scheme != "https" or path == "/" or _DOT_SEGMENT.search(path):
        raise UsageError(
            f"{option} must be an https URL with a path, and without . and .. in it.",
            hint=f"For example {form}.",
        )
    return text


def parse_trusted_issuer(text: str) -> str:
    """An issuer, byte for byte: issuers are compared as strings (RFC 8414 §3.3).

    Raises:
        UsageError: it is not an https URL without query and fragment (RFC 8414 §2).
    """
    return _parse_issuer(text, "--trusted-issuer")


def _parse_issuer(text: str, option: str) -> str:
    parse_plain_url(text, option, "https://auth.example.com")
    if "?" in text:
        raise UsageError(
            f"{option} has a query.", hint='Write the "issuer" of the server\'s metadata.'
        )
    return text


def parse_resource(text: str) -> str:
    """An RFC 8707 value, byte for byte.

    Raises:
        UsageError: it is not an absolute URI, or has a fragment (RFC 8707 §2).
    """
    if not _ABSOLUTE_URI.fullmatch(text) or "#" in text:
        raise UsageError(
            "--resource must be an absolute URI without a fragment.",
            hint="For example https://tenant.example.com/.",
        )
    return text


def parse_scope(text: str) -> str:
    """The scopes in `text`, one blank between them.

    Raises:
        UsageError: it does not name a scope, or has a character that a scope must not contain.
    """
    scopes = text.split()
    if not scopes or not all(map(_SCOPE.fullmatch, scopes)):
        raise UsageError(
            "--scope does not name any scope.",
            hint='Separate them by blanks, as in --scope "read write"; without it the server\'s'
            " own are asked for.",
        )
    return " ".join(scopes)


def parse_authorize_parameter(text: str) -> tuple[str, str]:
    """Name and value of a parameter for the authorization request.

    Raises:
        UsageError: it is not of that form, or the sign-in sets that parameter itself. Never
            repeats the value.
    """
    name, equals, value = text.partition("=")
    if not equals or not _PARAMETER_NAME.fullmatch(name) or CONTROL.search(value):
        raise UsageError(
            "--authorize-param is not of the form KEY=VALUE.",
            hint="For example --authorize-param prompt=consent.",
        )
    check_authorize_parameter(name)
    return name, value


def check_authorize_parameter(name: str) -> None:
    """Sees to it that `--authorize-param` overrides nothing that the sign-in depends on.

    Raises:
        UsageError: it is one of our own parameters.
    """
    if name in _OWN_PARAMETERS:
        raise UsageError(
            f"--authorize-param cannot set {name}, which the sign-in sets itself.",
            hint=_OWN_PARAMETERS[name],
        )


def parse_profile(text: str) -> str:
    """A name for one of several accounts.

    Raises:
        UsageError: a character that does not suit a name.
    """
    if not _PROFILE.fullmatch(text):
        raise UsageError(
            "--profile takes a name of letters, digits and . _ @ + - (64 at most).",
            hint="For example --profile work.",
        )
    return text


def parse_client(text: str, environment: Mapping[str, str], read_file: ReadText) -> Secret:
    """The JSON text of a client that is registered already (RFC 7591 §3.2.1).

    Raises:
        UsageError: it is not a JSON object, lacks client_id, or has a member of the wrong kind.
    """
    option = "--static-oauth-client-info"
    client = _read_object(text, option, environment, read_file)
    wrong = next(
        (name for name in ("client_id", "client_secret") if not _is_text(client.get(name, "-"))),
        None if "client_id" in client else "client_id",
    )
    if wrong is not None:
        raise UsageError(
            f'"{wrong}" in {option} must be a string that is not empty.',
            hint='The least is {"client_id": "..."}.',
        )
    uris = client.get("redirect_uris", [])
    if not isinstance(uris, list) or not all(map(_is_text, cast("list[object]", uris))):
        raise UsageError(
            f'"redirect_uris" in {option} is not a list of strings.',
            hint='For example ["http://localhost:3334/oauth/callback"].',
        )
    if "issuer" in client:
        issuer = client["issuer"]
        _parse_issuer(issuer if isinstance(issuer, str) else "", f'"issuer" in {option}')
    return _to_secret_json(client)


def parse_private_key(text: str, environment: Mapping[str, str], read_file: ReadText) -> Secret:
    """The key in that file: PEM, or a JWK.

    Raises:
        UsageError: the file cannot be read, or does not contain one.
    """
    path = expand_path(text, environment)
    key = read_file_text(path, "--private-key", read_file).strip()
    if "PRIVATE KEY-----" not in key and '"kty"' not in key:
        raise UsageError(
            f"--private-key {path} does not contain a private key.",
            hint="It is a PEM file without a password, or a JWK.",
        )
    return Secret(key)


def parse_token_url(text: str, option: str) -> str:
    """The address of a token endpoint.

    Raises:
        UsageError: it is not an https URL, or http to this machine.
    """
    return str(parse_plain_url(text, option, "https://auth.example.com/token"))


def parse_authorization_url(text: str, option: str) -> str:
    """The address of an authorization endpoint, byte for byte: its query stays (RFC 6749 §3.1).

    Raises:
        UsageError: it is not an https URL, or http to this machine.
    """
    parse_plain_url(text, option, "https://auth.example.com/authorize")
    return text


def parse_client_metadata(text: str, environment: Mapping[str, str], read_file: ReadText) -> str:
    """The JSON text of members for the registration (RFC 7591 §2).

    Raises:
        UsageError: it is not a JSON object.
    """
    option = "--static-oauth-client-metadata"
    return _to_secret_json(_read_object(text, option, environment, read_file)).reveal()


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _to_secret_json(value: dict[str, object]) -> Secret:
    import json

    return Secret(json.dumps(value, ensure_ascii=False))


def _read_object(
    text: str, option: str, environment: Mapping[str, str], read_file: ReadText
) -> dict[str, object]:
    """The JSON object in `text`, or in the file it names behind an @; `${NAME}` is expanded.

    String by string, after parsing: a value with a quote in it does no harm. It is JSON as the
    sign-in reads it, which may be hours later. A text that is one variable and nothing else stands
    for the whole object.

    Raises:
        UsageError: never repeats what was read.
    """
    import json

    source = option
    if text.startswith("@"):
        path = expand_path(text[1:], environment)
        source = f"{option}: {path}"
        text = read_file_text(path, option, read_file)
    if _ONE_VARIABLE.fullmatch(text):
        text = expand_environment(text, environment)
    document = decode_json_object(text.encode("utf-8", "surrogatepass"))
    try:
        members = _expand_value(document, environment)
        json.dumps(members, ensure_ascii=False).encode()
    except (RecursionError, UnicodeEncodeError):  # too deep; a variable that is not text
        members = None
    if not isinstance(members, dict):
        raise UsageError(
            f"{source} is not a JSON object.",
            hint=f"Give {option} an object such as "
            '{"client_id": "..."}, or the name of a file with one behind an @.',
        )
    return cast("dict[str, object]", members)


def _expand_value(value: object, environment: Mapping[str, str]) -> object:
    if isinstance(value, str):
        return expand_environment(value, environment)
    if isinstance(value, list):
        return [_expand_value(item, environment) for item in cast("list[object]", value)]
    if isinstance(value, dict):
        members = cast("dict[str, object]", value)
        return {name: _expand_value(member, environment) for name, member in members.items()}
    return value
