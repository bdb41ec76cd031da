"""The settings of a sign-in, made of what was given: which options go together, and for what.

Loaded where an option of a sign-in is given. Must not know how a word is read, nor how anybody
signs in.
"""

from __future__ import annotations

from mcp_remote_py.cli.given import Given
from mcp_remote_py.cli.login_words import describe_login
from mcp_remote_py.errors import UsageError
from mcp_remote_py.settings.sign_in import SignInSettings
from mcp_remote_py.settings.unattended import (
    ClientCredentials,
    ClientKey,
    IdentityProvider,
    Unattended,
    WorkloadJwt,
)

_DEFAULTS = SignInSettings()


def read_sign_in(given: Given) -> SignInSettings:
    """The settings of the sign-in.

    Raises:
        UsageError: anything is wrong.
    """
    if given.arguments.first("--resource") == "":
        # As in an entry for npm's mcp-remote, where it means this.
        given.leave_out("--resource")
        given.add_switch("--disable-resource-parameter")
    _take_resource(given)
    unattended = _read_unattended(given)
    # Another account than a person's: it has a session of its own.
    profile = _DEFAULTS.profile if unattended is None else unattended.default_profile
    return SignInSettings(
        profile=given.get("--profile", profile),
        scope=given.get("--scope"),
        resource=given.get("--resource"),
        send_resource=not given.has("--disable-resource-parameter"),
        authorize_parameters=given.each("--authorize-param"),
        static_client=given.get("--static-oauth-client-info"),
        static_client_metadata=given.get("--static-oauth-client-metadata"),
        client_metadata_url=given.get("--client-metadata-url"),
        trusted_issuers=given.each("--trusted-issuer"),
        use_id_token=given.has("--use-id-token"),
        host=given.get("--host", _DEFAULTS.host),
        port=_read_port(given),
        callback_path=given.get("--callback-path", _DEFAULTS.callback_path),
        success_url=given.get("--auth-success-url"),
        timeout=given.get("--auth-timeout", _DEFAULTS.timeout),
        browser=_browser(given),
        paste=given.has("--paste"),
        device_code=given.has("--device-code"),
        unattended=unattended,
        token_endpoint=given.get("--token-endpoint", ""),
        authorization_endpoint=given.get("--authorization-endpoint", ""),
        token_store=given.get("--token-store", _DEFAULTS.token_store),
        login_options=describe_login(given),
    )


def _read_port(given: Given) -> int | None:
    from mcp_remote_py.settings.sign_in_words import parse_callback_port

    return given.read_port(parse_callback_port)


_GRANTS = ("--client-credentials", "--jwt-bearer", "--idp-token-endpoint")
"""Options that choose a sign-in without a person."""

_PAGE = "--authorization-endpoint"
"""The option for a person whose browser signs in."""

_ATTENDED = ("--device-code", "--paste", _PAGE)

_NEEDS = (
    ("--private-key", "--client-credentials"),
    (_PAGE, "--token-endpoint"),
    ("--token-endpoint", "--client-credentials"),
    ("--private-key", "--static-oauth-client-info"),
    ("--signing-alg", "--private-key"),
    ("--client-credentials", "--static-oauth-client-info"),
    (_PAGE, "--static-oauth-client-info"),
    ("--idp-token-endpoint", "--static-oauth-client-info"),
    ("--idp-token-endpoint", "--idp-client-id"),
    ("--idp-token-endpoint", "--idp-id-token"),
    ("--idp-client-id", "--idp-token-endpoint"),
    ("--idp-id-token", "--idp-token-endpoint"),
)
"""An option, and the one without which it has no effect; `--client-credentials` stands for any
of `_GRANTS`."""

_ELSE = {
    ("--token-endpoint", "--client-credentials"): _PAGE,
    (_PAGE, "--static-oauth-client-info"): "--client-metadata-url",
}
"""By such a pair, the option that does as well."""


def _choose_grant(given: Given) -> str | None:
    """The sign-in without a person, None where a person signs in.

    Raises:
        UsageError: options that do not go together, or miss another.
    """
    names = dict.fromkeys((*_GRANTS, *_ATTENDED, *(name for pair in _NEEDS for name in pair)))
    there = [name for name in names if given.has(name)]
    grant = next((name for name in there if name in _GRANTS), None)
    if grant is not None:
        of_others = {*_GRANTS, *_ATTENDED} - {grant}
        if grant != "--idp-token-endpoint":
            of_others |= {"--idp-client-id", "--idp-id-token"}
        for option in there:
            if option in of_others:
                raise UsageError(f"Both {grant} and {option} are given.", hint="Leave out one.")
    if _PAGE in there and "--device-code" in there:
        raise UsageError(f"Both {_PAGE} and --device-code are given.", hint="Leave out one.")
    for option, other in _NEEDS:
        is_there = other in there or (other == "--client-credentials" and grant is not None)
        if (option, other) in _ELSE:
            is_there = is_there or given.has(_ELSE[option, other])
        if option in there and not is_there:
            raise UsageError(f"{option} is given without {other}.", hint=f"Add {other}.")
    return grant


def _take_resource(given: Given) -> None:
    """Takes a resource among the parameters for `--resource`, so that the token's request has it.

    npm's mcp-remote sends it with the sign-in's page alone, and warns of that.
    """
    words = given.arguments.each("--authorize-param")
    resource = next((word for word in words if word.startswith("resource=")), None)
    if resource is None:
        return
    given.leave_out("--authorize-param")
    if others := [word for word in words if not word.startswith("resource=")]:
        given.add_words("--authorize-param", others)
    if given.has("--resource") or given.has("--disable-resource-parameter"):
        given.warnings.append(
            "Ignored: --authorize-param sets resource. That is given by another option."
        )
    else:
        given.add_words("--resource", [resource.partition("=")[2]])
        given.warnings.append(
            "--authorize-param sets resource: it is taken for --resource. Write --resource."
        )


def _read_unattended(given: Given) -> Unattended | None:
    """The settings of a sign-in without a person, None where a person signs in.

    Raises:
        UsageError: options that do not go together, or miss another, or name what cannot be used.
    """
    match _choose_grant(given):
        case None:
            return None
        case "--jwt-bearer":
            grant = WorkloadJwt(given.get("--jwt-bearer"))
        case "--idp-token-endpoint":
            grant = IdentityProvider(
                token_endpoint=given.get("--idp-token-endpoint"),
                client_id=given.get("--idp-client-id"),
                id_token_file=given.get("--idp-id-token"),
            )
        case _:
            grant = ClientCredentials()
    key = given.get("--private-key")
    if key is None:
        return Unattended(grant)
    algorithm = given.get("--signing-alg")
    return Unattended(grant, ClientKey(key) if algorithm is None else ClientKey(key, algorithm))


def _browser(given: Given) -> tuple[str, ...] | None:
    has_command = given.has("--browser")
    if given.has("--paste") and (has_command or given.has("--device-code")):
        other = "--browser" if has_command else "--device-code"
        raise UsageError(f"Both --paste and {other} are given.", hint="Leave out one.")
    if not has_command:
        return () if given.has("--no-browser") or given.has("--paste") else None
    if given.has("--no-browser"):
        raise UsageError("Both --browser and --no-browser are given.", hint="Leave out one.")
    return given.get("--browser")
