"""A request of a sign-in comes to an end."""

from __future__ import annotations

import pytest

from mcp_remote_py.settings.network import SignInTimeouts

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
