"""The redirect that a person carries over by hand: the address a browser ended at, as text.

For browsers that cannot reach the machine where the sign-in was begun (field note 11). Where the
address leads does not matter, and is not looked at: what counts is its query, and whether the
sign-in is ours is its state's to say. Must not know which sign-ins there are.
"""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

from mcp_remote_py.errors import McpRemoteError
from mcp_remote_py.oauth.steps import Callback
from mcp_remote_py.redact import Secret, remember

MAX_LENGTH = 64 * 1024
"""Characters of a line; codes of 4 KiB exist."""
MAX_PASTED_PARAMETERS = 64

HINT = "Paste the whole address that the browser shows at the end, with what stands behind its ?."


def parse_pasted_redirect(text: str) -> Callback:
    """The query of a pasted address, or of what stands behind its `?`.

    Raises:
        McpRemoteError: it is not an end of a sign-in; it is not shown.
    """
    text = text.strip().strip("'\"<>").strip()
    if len(text) > MAX_LENGTH:
        raise McpRemoteError("That is too long for an address.", hint=HINT)
    try:
        query = urlsplit(text).query if "?" in text else text
        pairs = parse_qsl(query, max_num_fields=MAX_PASTED_PARAMETERS)
    except ValueError:
        pairs = []
    parameters = dict(pairs)
    if len(parameters) != len(set(pairs)) or "state" not in parameters:
        raise McpRemoteError(
            "That is not the end of a sign-in: it does not contain a state.", hint=HINT
        )
    if not parameters.keys() & {"code", "error"}:
        raise McpRemoteError(
            "That is not the end of a sign-in: it has neither a code nor an error.", hint=HINT
        )
    remember(Secret(parameters[name]) for name in ("code", "state") if name in parameters)
    return Callback(parameters)
