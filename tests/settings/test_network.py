"""A request of a sign-in comes to an end."""

from __future__ import annotations

import pytest

from mcp_remote_py.redact import Secret
from mcp_remote_py.settings.network import Network, SignInTimeouts
from mcp_remote_py.url import parse_url

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
    assert said.limit(15.0).parts() == limits


def test_what_a_host_must_hand_on_is_what_is_used_for_the_server() -> None:
    """A host hands on neither the variables of proxies nor those of authorities."""
    proxies = (
        ("HTTPS_PROXY", Secret("http://ada:canary-of-ada@proxy.example:3128")),
        ("HTTP_PROXY", Secret("http://other.example:3128")),
        ("NO_PROXY", Secret("near.example")),
    )
    network = Network(proxies=proxies, ca_variables=("SSL_CERT_FILE",))
    far, near = map(parse_url, ("https://far.example/mcp", "https://near.example/mcp"))
    assert network.variables_for(far) == ("HTTPS_PROXY", "SSL_CERT_FILE")
    assert network.variables_for(near) == ("SSL_CERT_FILE",)
    assert Network().variables_for(far) == ()
