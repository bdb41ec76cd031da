"""The next step for whoever gives the name of a host's entry where an address belongs.

Loaded where that happens. Must not know how an entry is found.
"""

from __future__ import annotations

from collections.abc import Mapping

from mcp_remote_py.cli.program import CHECK, COMMANDS, PROGRAM, PROXY
from mcp_remote_py.commands.own_entries import find_own_entries
from mcp_remote_py.errors import UsageError
from mcp_remote_py.redact import mask_url, remember, secrets_in_url


def name_entry(error: UsageError, command: str, name: str, env: Mapping[str, str]) -> UsageError:
    """`error`, with the address or the command where a host of this machine has such an entry.

    Only then is the word repeated: any other one might be a secret.
    """
    entry = next((one for one in find_own_entries(env) if one.name == name), None)
    if entry is None:
        return error
    if command == PROXY:
        return UsageError(
            f"{name} is not an address: an address begins with https://.",
            hint=f"To check the entry {name}: {PROGRAM} {CHECK} {name}",
        )
    remember(secrets_in_url(entry.address))
    address = mask_url(entry.address)
    here = COMMANDS[command].words_before
    return error.with_hint(f"The entry {name} is for {address}: {here} {address}")
