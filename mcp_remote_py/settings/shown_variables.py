"""The variables of an entry's environment as a person may see them: by name, and by value.

The one place that decides it, for every command. Must not know entries, nor where lines go.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mcp_remote_py.patterns import lazy_pattern
from mcp_remote_py.redact import MASK, Secret, mask_url
from mcp_remote_py.settings.network import CA_VARIABLES

_PLAIN = frozenset(
    {
        *(*CA_VARIABLES, "MCP_REMOTE_CONFIG_DIR", "UV_CACHE_DIR"),
        *("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"),
        *("NO_PROXY", "no_proxy", "UV_OFFLINE", "UV_SYSTEM_CERTS", "UV_NATIVE_TLS"),
    }
)
"""Those that name files, places and switches: to mask them would hide what a person compares."""

_ADDRESSES = frozenset(
    {
        *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"),
        *("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS"),
        "PIP_INDEX_URL",
    }
)
"""Those that name servers: secret where a password or a key is in them, and then as a whole, since
a part that is left out is not missed by whoever copies the rest."""

_REFERENCE = lazy_pattern(r"(?:[A-Za-z]{1,10} )?\$\{[A-Za-z_][A-Za-z0-9_:.-]{0,99}\}")
"""A value that stands elsewhere: in another variable, or in what the host keeps itself."""


def show_variable(name: str, value: str) -> str:
    """The value as it is, or `MASK` where it may be secret."""
    if name in _PLAIN or _REFERENCE.fullmatch(value):
        return value
    is_open = name in _ADDRESSES and all(mask_url(one) == one for one in value.split())
    return value if is_open else MASK


def show_variables(names: Iterable[str], environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of these names; one that is not set may be anything."""
    return {name: show_variable(name, environment.get(name, "")) or MASK for name in names}


def hidden_values(variables: Mapping[str, Secret]) -> list[Secret]:
    """Those that a person does not see, for `remember`: a path that is shown is not scrubbed."""
    return [one for name, one in variables.items() if show_variable(name, one.reveal()) == MASK]
