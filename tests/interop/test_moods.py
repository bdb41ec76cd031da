"""What comes of a product in a bad mood: the tabs, the requests, and the words of each refusal.

The gate plays every third one. Must not know how the command is made.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.harness.browser import fake_browser
from tests.harness.host import Host, Json, initialize_params
from tests.harness.stage import CALL, Stage
from tests.interop.moods import MOODS, Mood
from tests.interop.shaped_server import ShapedServer
from tests.thorough import some

pytestmark = pytest.mark.timeout(120)


@dataclass(frozen=True)
class End:
    """What is seen at the end: tabs, and phrases of the answer; whether it is a refusal."""

    tabs: int
    says: tuple[str, ...] = ()
    refuses: bool = True


WORKS_WITH_ONE_MORE = End(2, ("hello",), refuses=False)

ENDS = {
    "keycloak-trusts-nobody": End(
        0,
        (
            "does not let every client register",
            "Policy 'Trusted Hosts' rejected request",
            "Register a client there by hand",
        ),
    ),
    "keycloak-not-active": WORKS_WITH_ONE_MORE,
    "keycloak-scope": End(
        1, ("Invalid scopes: mcp:tools offline_access", "Name the scopes it knows with --scope.")
    ),
    "entra-resource": End(
        1, ("AADSTS901002", "Try --disable-resource-parameter, or name the resource")
    ),
    "entra-interaction": WORKS_WITH_ONE_MORE,
    "entra-approval": End(
        1, ("did not come back within 2 s", "waits for somebody else", "prompt=...", "--scope")
    ),
    "auth0-audience": End(
        1,
        (
            "refuses a token it was just given",
            "The token is opaque",
            "--authorize-param audience=http://127.0.0.1:",
        ),
    ),
    "auth0-service": End(1, ("was declined", "Service not found: https://example.com/other")),
    "auth0-unknown": WORKS_WITH_ONE_MORE,
    "atlassian-issuer": End(0, ("names another issuer", "add --trusted-issuer http://localhost:")),
    "atlassian-client": End(1, ("did not come back within 2 s", "redirect_uri=http://localhost")),
    "atlassian-tools": End(1, ("Authentication failed", "'isError': True"), refuses=False),
    "slack-app": End(1, ("App is not enabled for Slack MCP server access",)),
    "slack-ok-false": End(1, ("refused (HTTP 200: invalid_code)", "Sign in again")),
    "slack-hour": WORKS_WITH_ONE_MORE,
}


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def answer_of(host: Host, mood: Mood, server: ShapedServer) -> Json:
    """The answer to `initialize`, or where that is a result to a call; once in the mood."""
    answer = host.answer(host.begin("initialize", initialize_params()), seconds=40)
    if "error" in answer:
        return answer
    if mood.later:
        mood.set_off(server)
    if mood.ends_tokens:
        server.expire_tokens()
    return host.answer(host.begin("tools/call", CALL), seconds=40)


@pytest.mark.promise("L1", "P2")
@pytest.mark.parametrize("mood", some(MOODS, 3), ids=lambda mood: mood.key)
def test_a_bad_mood_ends_in_tools_or_one_sentence(
    mood: Mood, stack: ExitStack, tmp_path: Path
) -> None:
    end = ENDS[mood.key]
    server = stack.enter_context(ShapedServer(mood.shape))
    browser = stack.enter_context(fake_browser(tmp_path / "browser"))
    stage = Stage(server, browser, tmp_path / "home", stack)
    if not mood.later:
        mood.set_off(server)
    host = stage.host(*mood.words(server))
    answer = answer_of(host, mood, server)
    assert ("error" in answer) is end.refuses, answer
    said = str(answer.get("error") or answer["result"])
    if end.refuses:
        said = answer["error"]["message"]
    for phrase in end.says:
        assert phrase in said, said
    if end.refuses:
        host.answer(host.begin("initialize", initialize_params()), seconds=40)
    assert stage.counts["tabs"] == end.tabs
    assert stage.counts["codes"] <= end.tabs
    assert stage.counts["refreshes"] <= 1


def test_each_mood_has_its_end() -> None:
    assert ENDS.keys() == {mood.key for mood in MOODS}
