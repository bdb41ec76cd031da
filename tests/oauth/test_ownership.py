"""The rule of whose a secret is, in every case: what it is, what was named, and who published.

The verdicts are written down here a second time, by hand, and compared with the rule's.
"""

from __future__ import annotations

import json
import shlex
from itertools import product

import pytest

from mcp_remote_py.errors import SignInFailed
from mcp_remote_py.oauth.ownership import (
    Belonging,
    Named,
    Place,
    SecretKind,
    belongings_of,
    check_owner,
    is_registered_with,
    is_same_issuer,
    is_wanted,
    may_have,
    may_renew,
    may_revoke,
    must_ask_itself,
    named_by,
    place_of,
)
from mcp_remote_py.oauth.steps import Client, Credential
from mcp_remote_py.redact import Secret
from mcp_remote_py.settings.sign_in import SignInSettings
from mcp_remote_py.settings.unattended import ClientKey, IdentityProvider, Unattended, WorkloadJwt

A, X = "https://a.example", "https://x.example"

OWN_A = Place(A, A, f"{A}/token")
"""A by its own document."""
OWN_X = Place(X, X, f"{X}/token")
"""Somebody else by their own."""
FALSE_A = Place(A, X, f"{X}/token")
"""Somebody else who says that they are A."""
MIRROR = Place(A, X, f"{A}/token")
"""Somebody else who says where A is."""
LURE = Place(X, X, f"{A}/token")
"""Somebody else whose token endpoint is A's."""
UNKNOWN = Place(A, "", f"{X}/token")
"""Nobody knows who said so."""
PLACES = (OWN_A, OWN_X, FALSE_A, MIRROR, LURE, UNKNOWN)

NOBODY = Named()
TRUSTED = Named((A,))
OF_CLIENT = Named((A,), of_client=True)
ENDPOINT = Named((), f"{A}/token")
NAMES = (NOBODY, TRUSTED, OF_CLIENT, ENDPOINT)

BY_NAME = {
    NOBODY: set[Place](),
    TRUSTED: {OWN_A},
    OF_CLIENT: {OWN_A},
    ENDPOINT: {OWN_A, MIRROR, LURE},
}
"""Who may have a secret or a proof by a key: who is named, and says so itself."""

AUDIENCES = {
    None: "not known yet",
    (): "says nothing",
    (A,): "for A",
    (f"{A}/",): "for A, with a slash",
    ("https://b.example", A): "for A among others",
    (f"{A}/token",): "for A's token endpoint",
    (X,): "for somebody else",
    (f"{A}.evil.example",): "for what begins like A",
    ("api://AzureADTokenExchange",): "for a name of the platform's own",
}
FOR_A = {(A,), (f"{A}/",), ("https://b.example", A)}


def expected(
    kind: SecretKind, named: Named, place: Place, audience: tuple[str, ...] | None
) -> bool:
    """By hand: who may have what."""
    if kind in (SecretKind.CLIENT, SecretKind.KEY):
        return place in BY_NAME[named]
    if named is ENDPOINT and place.token_endpoint != f"{A}/token":
        return False
    is_named = place in BY_NAME[named]
    if audience is None:
        return is_named or place in (OWN_A, OWN_X, LURE)
    if audience == (f"{A}/token",):
        return is_named or place.token_endpoint == f"{A}/token"
    if kind is SecretKind.JWT:
        if is_named:
            return True
        return (audience in FOR_A and place is OWN_A) or (
            audience == (X,) and place in (OWN_X, FALSE_A, MIRROR, LURE)
        )
    if audience in FOR_A:
        return place is OWN_A or (place is MIRROR and named is ENDPOINT)
    if audience == (X,):
        return place in (OWN_X, LURE)
    return audience == () and is_named


@pytest.mark.report("S1", "S2", "S3")
@pytest.mark.parametrize("audience", AUDIENCES, ids=AUDIENCES.get)
@pytest.mark.parametrize("kind", SecretKind)
def test_every_case_of_the_rule(kind: SecretKind, audience: tuple[str, ...] | None) -> None:
    for named, place in product(NAMES, PLACES):
        verdict = may_have(place, Belonging(kind, "It", audience), named)
        assert verdict == expected(kind, named, place, audience), (named, place)


@pytest.mark.report("S1", "S2", "S3")
@pytest.mark.parametrize("kind", SecretKind)
def test_no_secret_goes_to_an_endpoint_of_somebody_else(kind: SecretKind) -> None:
    """Whatever is named and said: what is A's reaches nobody who is not A."""
    for audience, named, place in product(AUDIENCES, NAMES[1:], (OWN_X, FALSE_A, UNKNOWN)):
        if audience in (None, (X,)):
            continue
        assert not may_have(place, Belonging(kind, "It", audience), named), (audience, named, place)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (A, A, True),
        (A, f"{A}/", True),
        (f"{A}/x/", f"{A}/x", True),
        (A, f"{A}//", False),
        (A, "https://A.example", False),
        (A, f"{A}:443", False),
        (A, "http://a.example", False),
        (A, f"{A}/x", False),
        (A, "", False),
    ],
)
def test_issuers_are_compared_as_strings_but_for_one_slash(
    one: str, other: str, same: bool
) -> None:
    assert is_same_issuer(one, other) == is_same_issuer(other, one) == same
    assert Named((one,)).includes(other) == same


def test_only_what_speaks_for_a_named_issuer_is_asked_of_that_issuer() -> None:
    asked = {
        (named, place) for named, place in product(NAMES, PLACES) if must_ask_itself(place, named)
    }
    assert asked == set(product((TRUSTED, OF_CLIENT), (FALSE_A, MIRROR, UNKNOWN)))


def test_of_several_the_named_one_is_wanted() -> None:
    jwt = (Belonging(SecretKind.JWT, "It", (f"{A}/",)),)
    assert is_wanted(A, jwt, NOBODY)
    assert is_wanted(A, (), TRUSTED)
    assert not is_wanted(X, jwt, TRUSTED)
    assert not is_wanted(A, (Belonging(SecretKind.CLIENT, "It"),), NOBODY)


# What is said --------------------------------------------------------------------------------

SECRET = Belonging(SecretKind.CLIENT, "The client_secret of --static-oauth-client-info")
JWT = Belonging(SecretKind.JWT, "The JWT of --jwt-bearer /run/jwt", (A,))
GRANT = Belonging(SecretKind.GRANT, "The grant of the identity provider", ("https://b.example",))


def refusal(place: Place, belonging: Belonging, named: Named = NOBODY) -> str:
    with pytest.raises(SignInFailed) as caught:
        check_owner(place, (belonging,), named)
    assert type(caught.value) is SignInFailed, "a verdict, and no outage"
    return caught.value.sentence()


@pytest.mark.promise("P2")
@pytest.mark.report("S1")
def test_who_is_not_named_is_said_with_what_to_add() -> None:
    assert refusal(OWN_X, SECRET) == (
        'The client_secret of --static-oauth-client-info is not sent to "https://x.example": the '
        "MCP server named that authorization server, and you did not. If the client is registered "
        'there, add "issuer": "https://x.example" to --static-oauth-client-info, or '
        "--trusted-issuer https://x.example to the options."
    )
    assert refusal(OWN_X, SECRET, OF_CLIENT) == (
        'The client of --static-oauth-client-info belongs to "https://a.example" (its issuer), and '
        'the MCP server named "https://x.example": it is not used there. If the client is '
        "registered there, correct its issuer; else tell whoever runs the MCP server."
    )


@pytest.mark.promise("P2")
@pytest.mark.report("S2")
def test_a_jwt_for_somebody_else_is_said_with_its_audience() -> None:
    assert refusal(OWN_X, JWT) == (
        "The JWT of --jwt-bearer /run/jwt is for https://a.example (aud): it is not sent to "
        '"https://x.example", the authorization server that the MCP server named. Have it written '
        "for that issuer or its token endpoint https://x.example/token. If it is to go there as it "
        "is, add --trusted-issuer https://x.example to the options."
    )
    assert "/run/jwt does not say for whom it is (aud): it is not sent to" in refusal(
        OWN_X, JWT._replace(audience=())
    )
    assert refusal(OWN_A, GRANT, TRUSTED) == (
        "The grant of the identity provider is for https://b.example (aud), and was asked for "
        '"https://a.example": it is not sent there. Whoever runs the identity provider must have '
        'its grants made out to "https://a.example".'
    )


@pytest.mark.report("S1")
@pytest.mark.parametrize(
    "path", ["/{a,b}", "/~x", "/[a-z]", "/a%20b", "/@{0}", "/-", "/a,b=c+d", "/:"]
)
def test_what_is_to_be_added_is_one_word_for_a_shell(path: str) -> None:
    issuer = f"https://x.example{path}"
    sentence = refusal(Place(issuer, issuer, f"{X}/token"), SECRET)
    option = sentence.partition("or --trusted-issuer ")[2].removesuffix(" to the options.")
    assert shlex.split(option) == [issuer]
    assert f'"issuer": {json.dumps(issuer)} to' in sentence


@pytest.mark.report("S1")
@pytest.mark.parametrize(
    "path",
    ["/$(touch x)", "/`touch x`", "/';touch x;'", '/";touch x;"', "/&x", "/|x", "/?a=b", "/\\x"],
)
def test_what_could_be_a_command_is_not_repeated_in_what_is_to_be_added(path: str) -> None:
    publisher = f"https://x.example{path}"
    for belonging in (SECRET, JWT):
        sentence = refusal(Place(A, publisher, f"{X}/token"), belonging)
        assert "--trusted-issuer" not in sentence
        assert '"issuer"' not in sentence
        assert sentence.endswith(
            "That is not the name of an issuer: tell whoever runs the MCP server."
        )


# What a person said --------------------------------------------------------------------------


def client(**members: object) -> Secret:
    return Secret(json.dumps({"client_id": "mine", **members}))


@pytest.mark.report("S1")
def test_whom_the_options_name() -> None:
    settings = SignInSettings(trusted_issuers=(A, X), token_endpoint=f"{A}/token")
    assert named_by(settings) == Named((A, X), f"{A}/token")
    of_client = settings.replace(static_client=client(issuer=A))
    assert named_by(of_client) == Named((A,), f"{A}/token", of_client=True)
    for members in ({}, {"issuer": ""}, {"issuer": 7}):
        assert not named_by(SignInSettings(static_client=client(**members))).issuers
    assert named_by(SignInSettings(static_client=Secret("none"))) == NOBODY


@pytest.mark.report("S1", "S2")
@pytest.mark.parametrize(
    ("settings", "kinds"),
    [
        (SignInSettings(), []),
        (SignInSettings(static_client=client()), []),
        (SignInSettings(static_client=client(client_secret="s")), [SecretKind.CLIENT]),
        (SignInSettings(static_client=client(issuer=A)), [SecretKind.CLIENT]),
        (
            SignInSettings(
                static_client=client(client_secret="s"),
                unattended=Unattended(WorkloadJwt("/run/jwt"), ClientKey(Secret("k"))),
            ),
            [SecretKind.CLIENT, SecretKind.KEY, SecretKind.JWT],
        ),
        (
            SignInSettings(
                static_client=client(),
                unattended=Unattended(IdentityProvider("https://i.example/token", "c", "/run/id")),
            ),
            [SecretKind.GRANT],
        ),
    ],
)
def test_what_a_sign_in_would_send(settings: SignInSettings, kinds: list[SecretKind]) -> None:
    assert [belonging.kind for belonging in belongings_of(settings)] == kinds


# What is stored ------------------------------------------------------------------------------

STORED = Credential(
    issuer=A,
    token_endpoint=f"{A}/token",
    client=Client("mine", "static", Secret("s"), "client_secret_basic"),
    revocation_endpoint=f"{A}/revoke",
    refresh_token=Secret("r"),
    published_by=A,
    endpoints=(f"{A}/authorize", f"{A}/token", f"{A}/register", f"{A}/revoke", ""),
)
OLD = STORED._replace(published_by="", endpoints=())
"""As 0.1.0 stored it."""
SECRET_CLIENT = SignInSettings(static_client=client(client_secret="s"))


def naming(*issuers: str) -> SignInSettings:
    return SECRET_CLIENT.replace(trusted_issuers=issuers)


@pytest.mark.report("S3")
@pytest.mark.parametrize(
    ("stored", "published_by"),
    [
        (STORED, A),
        (OLD, A),
        (OLD._replace(issuer=f"{A}:443/tenant"), f"{A}:443/tenant"),
        (OLD._replace(token_endpoint=f"{X}/token"), ""),
        (OLD._replace(issuer="http://a.example"), ""),
        (OLD._replace(issuer="a.example"), ""),
        (STORED._replace(token_endpoint=f"{X}/token"), A),
    ],
)
def test_a_record_of_0_1_0_is_its_issuers_where_it_is_at_its_origin(
    stored: Credential, published_by: str
) -> None:
    assert place_of(stored) == Place(stored.issuer, published_by, stored.token_endpoint)


@pytest.mark.report("S1", "S3")
@pytest.mark.parametrize(
    ("stored", "settings", "may"),
    [
        (STORED, naming(A), True),
        (OLD, naming(f"{A}/"), True),
        (STORED, naming(), False),
        (STORED, naming(X), False),
        (OLD, naming(), False),
        (STORED._replace(published_by=X), naming(A), False),
        (OLD._replace(token_endpoint=f"{X}/token"), naming(A), False),
        (STORED, SignInSettings(), True),  # as it was stored; nothing new is given away
        (STORED, SignInSettings(static_client=client(issuer=X)), False),
        (STORED, SignInSettings(static_client=client()), True),
        (STORED._replace(client=Client("c", "registered", Secret("s"))), naming(), True),
        (STORED, SECRET_CLIENT.replace(token_endpoint=f"{A}/token"), True),
        (STORED, SECRET_CLIENT.replace(token_endpoint=f"{A}/other"), False),
        (STORED, SignInSettings(unattended=Unattended(WorkloadJwt("/run/jwt"))), True),
        (
            OLD._replace(token_endpoint=f"{X}/token"),
            SignInSettings(unattended=Unattended(WorkloadJwt("/run/jwt"))),
            False,
        ),
        (STORED, SignInSettings(unattended=Unattended(key=ClientKey(Secret("k")))), False),
    ],
)
def test_what_is_stored_is_renewed_where_its_secrets_may_go(
    stored: Credential, settings: SignInSettings, may: bool
) -> None:
    assert may_renew(stored, settings) == may


@pytest.mark.report("S3")
@pytest.mark.parametrize(
    ("changes", "may"),
    [
        ({}, True),
        ({"published_by": "", "endpoints": ()}, True),
        ({"revocation_endpoint": f"{A}:443/other"}, True),
        ({"revocation_endpoint": f"{X}/revoke"}, True),  # A says so, whose tokens they are
        ({"revocation_endpoint": f"{X}/revoke", "published_by": X}, False),
        ({"revocation_endpoint": f"{X}/revoke", "published_by": X, "issuer": X}, False),
        ({"revocation_endpoint": "http://a.example/revoke", "published_by": X}, False),
        ({"revocation_endpoint": f"{A}.evil.example/revoke", "published_by": X}, False),
        ({"token_endpoint": f"{X}/token", "revocation_endpoint": f"{X}/revoke"}, True),
        ({"token_endpoint": f"{X}/token", "revocation_endpoint": f"{A}/revoke"}, False),
    ],
)
def test_tokens_are_given_up_only_where_they_are_from(
    changes: dict[str, object], may: bool
) -> None:
    assert may_revoke(STORED._replace(**changes)) == may


NAMES_OF_ENDPOINTS = ("authorization", "token", "registration", "revocation", "device")


@pytest.mark.report("S3")
@pytest.mark.parametrize("which", range(5), ids=NAMES_OF_ENDPOINTS)
def test_a_stored_client_is_of_the_document_with_all_its_endpoints(which: int) -> None:
    assert is_registered_with(STORED, A, STORED.endpoints)
    assert not is_registered_with(STORED, X, STORED.endpoints)
    changed = list(STORED.endpoints)
    changed[which] = f"{X}/elsewhere"
    assert not is_registered_with(STORED, A, tuple(changed))
    # An older record knows of two, and does not give its secret to a device endpoint elsewhere.
    assert is_registered_with(OLD, A, STORED.endpoints)
    unnoticed = NAMES_OF_ENDPOINTS[which] in ("authorization", "registration")
    assert is_registered_with(OLD, A, tuple(changed)) == unnoticed
    assert is_registered_with(OLD, A, (*STORED.endpoints[:4], f"{A}/device"))
