"""Objects that are looked into, of whatever shape they come. Must not know whose they are."""

from __future__ import annotations

import json
from typing import Any, cast

from mcp_remote_py.bounds import has_few_parts


def decode_object(text: bytes) -> dict[str, Any]:
    """The object in a JSON text, numbers as they stand; an empty one where it is something else."""
    if not has_few_parts(text):
        return {}
    try:
        return as_object(json.loads(text or b"{}", parse_int=_number, parse_float=_number))
    except (ValueError, RecursionError):
        return {}


def _number(text: str) -> tuple[str]:
    """A number as it stands: there are some that Python cannot build."""
    return (text,)


def as_object(value: object) -> dict[str, Any]:
    """It, if it is an object; else an empty one."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def declared_names(capabilities: bytes) -> set[str]:
    """The capabilities that a client declares, by name; elicitation by its modes as well."""
    declared = decode_object(capabilities)
    modes = as_object(declared.get("elicitation"))
    names = {name for name, one in declared.items() if one is not None}
    return names | {f"elicitation.{mode}" for mode, one in modes.items() if one is not None}
