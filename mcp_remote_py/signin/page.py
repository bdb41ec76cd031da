"""The page a person sees when the browser has come back to this machine.

Fixed words in fixed markup: only the names of the server and of the application are filled in,
escaped. Nothing of a request can get here, because nothing of one is taken. No script, nothing
loaded, nothing that moves; the one style sheet is allowed by its hash, the icon of the tab is in
the page. There is no page before the sign-in: the browser goes to the server's own at once.
Must not know sockets or OAuth.
"""

from __future__ import annotations

import base64
import hashlib
from html import escape
from typing import NamedTuple
from urllib.parse import quote

from mcp_remote_py.errors import one_line
from mcp_remote_py.signin.ports import Outcome

MAX_NAME_LENGTH = 60
"""Characters of a name that are shown: servers choose their names, and may choose long ones."""

_STYLE = """
:root {
  color-scheme: light dark;
  --page: #f4f5f7; --card: #ffffff; --edge: #e3e5ea; --text: #1c1e21; --soft: #5b616b;
  --done: #16794c; --done-back: #def3e7; --failed: #b3261e; --failed-back: #fbe4e2;
  --other: #2f5fb3; --other-back: #e2ebfa;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #141619; --card: #1e2125; --edge: #31353b; --text: #eceef1; --soft: #a5abb5;
    --done: #5fd39b; --done-back: #173527; --failed: #ff9b93; --failed-back: #411d1b;
    --other: #93b8f7; --other-back: #1c2c4a;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; min-height: 100vh; padding: min(1.5rem, 4vw); display: grid; place-items: center;
  background: var(--page); color: var(--text);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
}
main {
  width: 100%; max-width: 27rem; padding: 2.5rem min(2rem, 6vw) 2rem; text-align: center;
  overflow-wrap: anywhere;
  background: var(--card); border: 1px solid var(--edge); border-radius: 1rem;
  box-shadow: 0 1px 2px rgb(0 0 0 / 5%), 0 12px 32px rgb(0 0 0 / 7%);
}
svg {
  width: 4rem; height: 4rem; padding: 1rem; border-radius: 50%;
  fill: none; stroke: currentColor; stroke-width: 2.6;
  stroke-linecap: round; stroke-linejoin: round;
}
.done svg { color: var(--done); background: var(--done-back); }
.failed svg { color: var(--failed); background: var(--failed-back); }
.other svg { color: var(--other); background: var(--other-back); }
h1 { margin: 1.25rem 0 0; font-size: 1.4rem; line-height: 1.3; font-weight: 650; }
p { margin: .75rem 0 0; color: var(--soft); text-wrap: pretty; }
bdi { color: var(--text); font-weight: 600; }
footer {
  margin-top: 1.75rem; padding-top: 1rem; border-top: 1px solid var(--edge);
  color: var(--soft); font-size: .8125rem;
}
@media (forced-colors: active) { svg { border: 1px solid; } }
"""


def _source_of(style: str) -> str:
    """The name by which a policy allows exactly this style (CSP Level 3 §2.3.1)."""
    digest = hashlib.sha256(style.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src {_source_of(_STYLE)}; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Goes with every page of this module: whatever got into one could neither run nor load.

`data:` is for the icon of the tab, without which browsers ask for one when nobody listens any more.
"""


class _Words(NamedTuple):
    """`look` is a class of the style; `{server}` and `{application}` stand for their names."""

    look: str
    icon: str
    title: str
    text: tuple[str, ...]


_CHECK = '<path d="M4.5 12.5l5 5 10-11"/>'
_CROSS = '<path d="M6 6l12 12M18 6L6 18"/>'
_CLOCK = '<circle cx="12" cy="12" r="9"/><path d="M12 7v5.5l3.5 2"/>'
_QUESTION = '<path d="M8.5 9a3.6 3.6 0 1 1 5.3 3.2c-1.2.7-1.8 1.4-1.8 2.8M12 19v.01"/>'

_ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="#fff" '
    'stroke-width="2.6" stroke-linecap="round" stroke-linejoin="round">'
    '<circle cx="12" cy="12" r="12" fill="{colour}" stroke="none"/>'
    '<g transform="translate(4 4) scale(.667)">{icon}</g></svg>'
)
"""Of the tab."""
_ICON_COLOURS = {"done": "#1a7f4e", "failed": "#c5352b", "other": "#3f6fc4"}
"""Of the tab's icon, which stands on light and on dark."""

_AGAIN = (
    "To sign in again, run mcp-remote-py login on this computer; {application} shows the whole "
    "command."
)

_PAGES = {
    Outcome.DONE: _Words(
        "done",
        _CHECK,
        "You are signed in",
        ("{server} is connected.", "You can close this tab and go back to {application}."),
    ),
    Outcome.EXTENDED: _Words(
        "done",
        _CHECK,
        "More access was given",
        (
            "{server} allows what was asked for now.",
            "You can close this tab and go back to {application}.",
        ),
    ),
    Outcome.DECLINED: _Words(
        "failed",
        _CROSS,
        "Sign-in was declined",
        (
            "Access to {server} was not given. If that is what you want, you are done: "
            "you can close this tab.",
            _AGAIN,
        ),
    ),
    Outcome.EXPIRED: _Words(
        "failed",
        _CROSS,
        "Sign-in has expired",
        (
            "{server} does not accept it any more: it took too long, or was used before.",
            "You can close this tab. " + _AGAIN,
        ),
    ),
    Outcome.AWAY: _Words(
        "failed",
        _CROSS,
        "Sign-in could not be finished",
        (
            "{server} does not answer as it should right now. Nothing is wrong with what you did.",
            "You can close this tab. Wait a few minutes. " + _AGAIN,
        ),
    ),
    Outcome.FAILED: _Words(
        "failed",
        _CROSS,
        "Sign-in did not work",
        (
            "The sign-in at {server} could not be finished.",
            "You can close this tab and go back to {application}: it says what went wrong and "
            "what to do.",
        ),
    ),
    Outcome.PENDING: _Words(
        "other",
        _CLOCK,
        "Almost done",
        (
            "Your part is done. {server} takes some time to answer.",
            "This page shows how it ends. You can also close this tab and go back to "
            "{application}; it goes on without it.",
        ),
    ),
}

_STRANGER = _Words(
    "other",
    _QUESTION,
    "This link is not in use",
    (
        "It may be from an earlier attempt to sign in.",
        "You can close this tab. If you are signing in right now, use the newest tab or link.",
    ),
)

UNKNOWN = "your application"
TERMINAL = "the terminal"
"""In the place of an application's name."""


def render_outcome(outcome: Outcome, server_name: str, application: str | None = "") -> bytes:
    """The page for `outcome`. Names may be any text; an empty one gets a plain word instead.

    `application` is who asked for the sign-in, None where it was a person at a terminal.
    """
    return _render(
        _PAGES[outcome],
        server=_mark(server_name) or "The server",
        application=TERMINAL if application is None else _mark(application) or UNKNOWN,
    )


def render_stranger() -> bytes:
    """The page for a request that does not belong to the sign-in we wait for."""
    return _render(_STRANGER)


def _mark(name: str) -> str:
    """`name` as markup; its direction of writing stays its own (`bdi`)."""
    name = one_line(name.encode("utf-8", "replace").decode())
    if len(name) > MAX_NAME_LENGTH:
        name = f"{name[: MAX_NAME_LENGTH - 1].rstrip()}…"
    return f"<bdi>{escape(name)}</bdi>" if name else ""


def _render(words: _Words, **names: str) -> bytes:
    icon = _ICON.format(colour=_ICON_COLOURS[words.look], icon=words.icon)
    paragraphs = "\n".join(f"<p>{text.format(**names)}</p>" for text in words.text)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{words.title}</title>
<link rel="icon" href="data:image/svg+xml,{quote(icon)}">
<style>{_STYLE}</style>
</head>
<body>
<main class="{words.look}">
<svg viewBox="0 0 24 24" aria-hidden="true">{words.icon}</svg>
<h1>{words.title}</h1>
{paragraphs}
<footer>Shown by mcp-remote-py on this computer</footer>
</main>
</body>
</html>
""".encode()
