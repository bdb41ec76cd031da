"""Desktop hosts of every revision, in the raw: what they send is written here, line by line.

The two eras have the same interface, so that one test can be played by both. Must not know which
server is behind the command.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.harness.host import ErrorAnswer, Host
from tests.matrix.cells import MODERN, SINCE

Json = dict[str, Any]

PREFIX = "io.modelcontextprotocol/"
CLIENT_INFO: Json = {"name": "matrix", "version": "1"}
PERSON: Json = {"action": "accept", "content": {"name": "Ada"}}
ANSWERS: dict[str, Json] = {
    "elicitation/create": PERSON,
    "sampling/createMessage": {
        "role": "assistant",
        "content": {"type": "text", "text": "42"},
        "model": "parrot",
    },
    "roots/list": {"roots": [{"uri": "file:///tmp/here", "name": "here"}]},
}
"""What the person and the model behind the host say."""


def refuse(_: Json) -> Json:
    """What a host says to a request its revision has not."""
    raise ErrorAnswer(-32601, "Method not found")


class Failed(Exception):
    """The answer was an error."""

    def __init__(self, error: Json) -> None:
        super().__init__(str(error))
        self.code = error["code"]
        self.data = error.get("data")


def capabilities_of(version: str) -> Json:
    """What a client of this revision declares."""
    declared: Json = {"sampling": {}, "roots": {}}
    if version >= SINCE["elicitation, form"]:
        declared["elicitation"] = {}
    if version >= SINCE["elicitation, URL"]:
        declared["elicitation"] = {"form": {}, "url": {}}
    return declared


def call_params(name: str, arguments: Json | None, token: object) -> Json:
    """The params of a tool call."""
    params: Json = {"name": name, "arguments": arguments or {}}
    return params if token is None else params | {"_meta": {"progressToken": token}}


class HandshakeClient:
    """A host that begins with `initialize`."""

    def __init__(self, host: Host, version: str) -> None:
        self.host = host
        self.version = version
        self.asked: list[Json] = []
        capabilities = capabilities_of(version)
        for method in ANSWERS:
            able = method != "elicitation/create" or "elicitation" in capabilities
            host.handlers[method] = self._answering(method) if able else refuse
        params = {
            "protocolVersion": version,
            "capabilities": capabilities,
            "clientInfo": CLIENT_INFO,
        }
        self.greeting = result_of(host.request("initialize", params))
        host.notify("notifications/initialized")

    def answer_for(self, method: str, params: Json) -> Json:
        """What the person and the model behind the host say."""
        return ANSWERS[method]

    def _answering(self, method: str) -> Callable[[Json], Json]:
        def say(params: Json) -> Json:
            if params.get("mode") == "url" and self.version < SINCE["elicitation, URL"]:
                raise ErrorAnswer(-32602, "No mode of this revision")
            self.asked.append({"method": method, "params": params})
            return self.answer_for(method, params)

        return say

    @property
    def server_info(self) -> Json:
        """Name and version of the server, as the client was told."""
        info: Json = self.greeting["serverInfo"]
        return info

    def request(self, method: str, params: Json | None = None) -> Json:
        """The result; an error is raised as `Failed`."""
        return result_of(self.host.request(method, params))

    def begin(self, method: str, params: Json) -> object:
        """Sends a request and returns its id."""
        return self.host.begin(method, params)

    def call(self, name: str, arguments: Json | None = None, *, token: object = None) -> Json:
        """A tool call, with a progress token where one is given."""
        return self.request("tools/call", call_params(name, arguments, token))

    def call_with_log(self, name: str, level: str) -> Json:
        """A tool call of which the log is wanted from this level on."""
        self.request("logging/setLevel", {"level": level})
        return self.call(name)

    def subscribe(self, uri: str) -> None:
        """Wants to hear of changes of this resource, and of the lists."""
        self.request("resources/subscribe", {"uri": uri})

    def listen(self) -> None:
        """Wants to hear of changes of the lists; a host of this era always does."""


class ModernClient:
    """A host of 2026-07-28."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.version = MODERN
        self.asked: list[Json] = []
        self.states: list[object] = []
        self.greeting = self.request("server/discover", {})

    @property
    def server_info(self) -> Json:
        """Name and version of the server, as the client was told."""
        info: Json = self.greeting["_meta"][PREFIX + "serverInfo"]
        return info

    def _with_meta(self, params: Json, **more: object) -> Json:
        meta = {
            PREFIX + "protocolVersion": MODERN,
            PREFIX + "clientInfo": CLIENT_INFO,
            PREFIX + "clientCapabilities": capabilities_of(MODERN),
        }
        return params | {"_meta": meta | params.get("_meta", {}) | more}

    def begin(self, method: str, params: Json) -> object:
        """Sends a request and returns its id."""
        return self.host.begin(method, self._with_meta(params))

    def request(self, method: str, params: Json | None = None) -> Json:
        """The result, after as many rounds as the server wants; an error is `Failed`."""
        given = params or {}
        sent = given
        for _ in range(5):
            result = result_of(self.host.request(method, self._with_meta(sent)))
            if result.get("resultType") != "input_required":
                # Without one it is complete (basic/index, "ResultType").
                assert result.pop("resultType", "complete") == "complete"
                return result
            wanted: dict[str, Json] = result.get("inputRequests", {})
            self.asked += wanted.values()
            self.states.append(result.get("requestState"))
            answers = {
                key: self.answer_for(one["method"], one.get("params", {}))
                for key, one in wanted.items()
            }
            sent = given | {"inputResponses": answers}
            if "requestState" in result:
                sent["requestState"] = result["requestState"]
        raise AssertionError("too many rounds")

    def answer_for(self, method: str, params: Json) -> Json:
        """See `HandshakeClient.answer_for`."""
        return ANSWERS[method]

    def call(self, name: str, arguments: Json | None = None, *, token: object = None) -> Json:
        """See `HandshakeClient.call`."""
        return self.request("tools/call", call_params(name, arguments, token))

    def call_with_log(self, name: str, level: str) -> Json:
        """See `HandshakeClient.call_with_log`."""
        meta = {PREFIX + "logLevel": level}
        return self.request("tools/call", {"name": name, "arguments": {}, "_meta": meta})

    def subscribe(self, uri: str) -> None:
        """See `HandshakeClient.subscribe`."""
        self._listen({"resourceSubscriptions": [uri]})

    def listen(self) -> None:
        """See `HandshakeClient.listen`."""
        kinds = ("toolsListChanged", "promptsListChanged", "resourcesListChanged")
        self._listen(dict.fromkeys(kinds, True))

    def _listen(self, wanted: Json) -> None:
        listen = self.begin("subscriptions/listen", {"notifications": wanted})

        def acknowledged() -> bool:
            return any(
                one["method"] == "notifications/subscriptions/acknowledged"
                and one["params"]["_meta"][PREFIX + "subscriptionId"] == listen
                and one["params"]["notifications"] == wanted
                for one in self.host.notifications
            )

        self.host.wait_until(acknowledged, f"an acknowledgement of {wanted}")


Client = HandshakeClient | ModernClient


def connect(host: Host, version: str) -> Client:
    """A client of this revision on a command that was just started."""
    return ModernClient(host) if version == MODERN else HandshakeClient(host, version)


def result_of(answer: Json) -> Json:
    """The result of an answer; an error is raised."""
    if "error" in answer:
        raise Failed(answer["error"])
    result: Json = answer["result"]
    return result


def text_of(result: Json) -> str:
    """The texts of a tool's result."""
    return "".join(one.get("text", "") for one in result["content"])
