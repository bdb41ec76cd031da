"""Which scopes are asked for: whose word counts, and what is never lost."""

from __future__ import annotations

import time

import pytest

from mcp_remote_py.oauth.scopes import choose_scope, describe_asked_scopes, find_unknown


@pytest.mark.promise("A3", "L1")
@pytest.mark.parametrize(
    ("challenge", "resource", "server", "wanted", "granted", "chosen"),
    [
        # the order: --scope, challenge, resource, none
        ("c", ("r",), ("s",), "w  w2", "", "w w2"),
        ("c  c2", ("r",), ("s",), None, "", "c c2"),
        (None, ("r", "r2"), ("s",), None, "", "r r2"),
        ("", ("r",), None, None, "", "r"),
        (None, (), ("s", "openid"), None, "", None),
        (None, None, ("s", "openid"), None, "", None),
        # --scope "" asks for none
        ("c", ("r",), ("offline_access",), "", "", None),
        # offline_access only where it is known, beside other scopes, never beside --scope
        ("c", None, ("offline_access",), None, "", "c offline_access"),
        (None, ("r",), ("s", "offline_access"), None, "", "r offline_access"),
        ("c offline_access", None, ("offline_access",), None, "", "c offline_access"),
        (None, None, ("offline_access",), None, "", None),
        ("c", None, ("offline_access",), "w", "", "w"),
        # step-up: what was granted, and what is asked for
        ("b", None, None, None, "a", "a b"),
        ("b a", None, ("offline_access",), None, "a offline_access", "a offline_access b"),
        (None, ("r",), None, None, "a", "a r"),
        ("b", ("r",), None, "w", "a w", "a w b"),
    ],
)
def test_choice_of_scopes(
    challenge: str | None,
    resource: tuple[str, ...] | None,
    server: tuple[str, ...] | None,
    wanted: str | None,
    granted: str,
    chosen: str | None,
) -> None:
    assert choose_scope(challenge, resource, server, wanted, granted) == chosen


@pytest.mark.report("O17")
@pytest.mark.parametrize(
    ("resource", "server", "unknown"),
    [
        (("read", "admin"), ("read", "openid"), ("admin",)),
        (("read admin", "x", "x"), ("x read",), ("admin",)),
        (("read", "offline_access"), ("read",), ("offline_access",)),
        (("read",), ("read", "write"), ()),
        # none in common, or nothing said
        (("read",), ("openid",), ()),
        (("read",), (), ()),
        (("read",), None, ()),
        (None, ("read",), ()),
        # a list of OpenID Connect alone
        (("api://mine/use", "openid"), ("openid", "profile", "offline_access"), ()),
        (("openid", "email", "read"), ("openid",), ("email",)),
    ],
)
def test_scopes_that_the_authorization_server_does_not_have(
    resource: tuple[str, ...] | None, server: tuple[str, ...] | None, unknown: tuple[str, ...]
) -> None:
    assert find_unknown(resource, server) == unknown


@pytest.mark.report("O17")
def test_what_was_asked_for_is_said() -> None:
    assert describe_asked_scopes("", None) == "No scope was asked for."
    listed = 'No scope was asked for; that server lists "a b".'
    assert describe_asked_scopes("", ("a", "b")) == listed
    assert describe_asked_scopes("a b", None) == 'Asked for was "a b".'
    assert describe_asked_scopes("a b", ("a", "b")) == 'Asked for was "a b".'
    assert describe_asked_scopes("a b c", ("a",)) == (
        'Asked for was "a b c"; that server does not list "b c".'
    )


@pytest.mark.report("O17")
def test_very_many_scopes_are_compared_in_no_time() -> None:
    many = tuple(f"s{number}" for number in range(30_000))
    before = time.process_time()
    assert describe_asked_scopes(" ".join(many), many).endswith('…".')
    assert time.process_time() - before < 0.5  # measured: 0.02; it was 5 s
