"""Subscriptions of the host, at a server that knows them one by one, or not at all.

Must not know other requests.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import msgspec

from mcp_remote_py.eras import envelope as meta
from mcp_remote_py.eras.handshake_server.effects import Effect, ToHost, ToServer, refuse
from mcp_remote_py.eras.handshake_server.own_ids import RequestMaker
from mcp_remote_py.eras.methods import CHANGES
from mcp_remote_py.json_text import UNREADABLE, bounded, encode, read_text
from mcp_remote_py.jsonrpc import INVALID_PARAMS, Message, make_notification, make_result

_CHANGED = {change.notification: change.member for change in CHANGES}


class _Filter(msgspec.Struct):
    toolsListChanged: object = False
    promptsListChanged: object = False
    resourcesListChanged: object = False
    resourceSubscriptions: list[str] | None = None


_decode_filter = bounded(msgspec.json.Decoder(_Filter | None).decode)


class _Subscription:
    """A `subscriptions/listen` of the host."""

    def __init__(self, request: Message, wanted: _Filter) -> None:
        self.request = request
        self.wanted = wanted
        self.uris: set[str] = set()
        self.undecided: set[str] = set()
        self.acknowledged = False


class Subscriptions:
    """All of one host's; `announces` says whether the server has a capability, or a part of it."""

    def __init__(self, requests: RequestMaker, announces: Callable[[str, str], bool]) -> None:
        self._requests = requests
        self._announces = announces
        self._all: dict[Hashable, _Subscription] = {}
        self._subscribing: dict[Hashable, str] = {}
        self._ignored: set[Hashable] = set()
        """Requests of our own whose answers change nothing."""

    def __contains__(self, key: Hashable) -> bool:
        """Whether a request of the host with this id is one that is open."""
        return key in self._all

    def listen(self, message: Message) -> list[Effect]:
        """A `subscriptions/listen`."""
        try:
            wanted = _decode_filter(message.members.get("notifications", b"null")) or _Filter()
        except UNREADABLE:
            text = "`notifications` is not a notification filter."
            return refuse(message, INVALID_PARAMS, text)
        subscription = self._all[message.key] = _Subscription(message, wanted)
        effects: list[Effect] = []
        offered = self._announces("resources", "subscribe")
        for uri in (wanted.resourceSubscriptions or ()) if offered else ():
            if self._is_subscribed(uri):
                subscription.uris.add(uri)
                continue
            subscription.undecided.add(uri)
            if uri not in self._subscribing.values():
                request = self._requests.make("resources/subscribe", _address(uri))
                self._subscribing[request.key] = uri
                effects.append(ToServer(request))
        return effects + self._acknowledge(subscription)

    def _acknowledge(self, subscription: _Subscription) -> list[Effect]:
        if subscription.acknowledged or subscription.undecided:
            return []
        subscription.acknowledged = True
        honoured: dict[str, Any] = {
            one.member: True
            for one in CHANGES
            if _wants(subscription, one.member) and self._announces(one.capability, "listChanged")
        }
        if subscription.uris:
            honoured["resourceSubscriptions"] = sorted(subscription.uris)
        params = {"notifications": msgspec.Raw(encode(honoured))}
        notice = make_notification("notifications/subscriptions/acknowledged", params)
        return [ToHost(_tag(notice, subscription.request))]

    def take_answer(self, answer: Message) -> list[Effect] | None:
        """The server's answer, None where it is not to a request made here."""
        if answer.key in self._ignored:
            self._ignored.discard(answer.key)
            return []
        uri = self._subscribing.pop(answer.key, None)
        if uri is None:
            return None
        effects: list[Effect] = []
        for subscription in self._all.values():
            if uri in subscription.undecided:
                subscription.undecided.discard(uri)
                if not answer.is_error:
                    subscription.uris.add(uri)
                effects += self._acknowledge(subscription)
        if not answer.is_error and not self._is_subscribed(uri):
            effects += self._tell_subscription(
                "resources/unsubscribe", uri
            )  # whoever wanted it has left meanwhile
        return effects

    def cancel(self, key: Hashable) -> list[Effect]:
        """The host no longer wants the one with this id, if there is one."""
        subscription = self._all.pop(key, None)
        effects: list[Effect] = []
        if subscription is None:
            return effects
        for uri in sorted(subscription.uris):
            if not self._is_subscribed(uri):
                effects += self._tell_subscription("resources/unsubscribe", uri)
        return effects

    def _tell_subscription(self, method: str, uri: str) -> list[Effect]:
        request = self._requests.make(method, _address(uri))
        self._ignored.add(request.key)
        return [ToServer(request)]

    def _is_subscribed(self, uri: str) -> bool:
        return any(uri in one.uris for one in self._all.values())

    def subscribe_again(self) -> list[Effect]:
        """The session is a new one."""
        effects: list[Effect] = []
        for uri in sorted({uri for one in self._all.values() for uri in one.uris}):
            effects += self._tell_subscription("resources/subscribe", uri)
        return effects

    def hear(self, notification: Message) -> list[Effect] | None:
        """Tells whoever wants to hear it; None where it is not for subscriptions."""
        method = notification.method
        if method not in _CHANGED and method != "notifications/resources/updated":
            return None
        return [ToHost(_tag(notification, one.request)) for one in self._wanting(notification)]

    def _wanting(self, notification: Message) -> list[_Subscription]:
        acknowledged = [one for one in self._all.values() if one.acknowledged]
        member = _CHANGED.get(notification.method)
        if member is not None:
            return [one for one in acknowledged if _wants(one, member)]
        uri = read_text(notification.members.get("uri"))
        return [one for one in acknowledged if _is_within(uri, one.uris)]

    def end(self) -> list[Effect]:
        """Ends them gracefully."""
        effects: list[Effect] = []
        for subscription in self._all.values():
            request = subscription.request
            result = {"resultType": msgspec.Raw(b'"complete"'), "_meta": _tag_of(request)}
            effects.append(ToHost(make_result(request.raw_id, result)))
        self._all.clear()
        return effects


def _address(uri: str) -> dict[str, msgspec.Raw]:
    return {"uri": msgspec.Raw(encode(uri))}


def _tag(notification: Message, request: Message) -> Message:
    """A notification on the stream that `request` opened."""
    tag = {meta.SUBSCRIPTION_ID: msgspec.Raw(request.raw_id)}
    return make_notification(notification.method, meta.put_meta(notification, tag))


def _tag_of(request: Message) -> msgspec.Raw:
    return msgspec.Raw(encode({meta.SUBSCRIPTION_ID: msgspec.Raw(request.raw_id)}))


def _wants(subscription: _Subscription, member: str) -> bool:
    return getattr(subscription.wanted, member) is True


def _is_within(uri: str, subscribed: set[str]) -> bool:
    """Whether it is one of these or a part of one, of which a server may tell as well.

    (`ResourceUpdatedNotificationParams` in the schema of both revisions.)
    """
    return any(
        uri == one or uri.startswith((one.rstrip("/") + "/", one + "#", one + "?"))
        for one in subscribed
    )
