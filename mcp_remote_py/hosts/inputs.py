"""What a host is told to ask a person for, and keeps encrypted: `inputs` of VS Code.

An entry refers to one as `${input:ID}`. Ours begin with `OWN_INPUTS`; those of others are never
touched. Must not know what is asked for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, cast

from mcp_remote_py.hosts import json_edit
from mcp_remote_py.hosts.config_bytes import decode_config
from mcp_remote_py.patterns import lazy_pattern

OWN_INPUTS = "mcp-remote-py-"

_REFERENCE = lazy_pattern(r"\$\{input:(" + OWN_INPUTS + r"[^{}]+)\}")


class HostInput(NamedTuple):
    """One thing that is asked for."""

    id: str
    description: str
    """What a person reads who is asked."""

    @property
    def reference(self) -> str:
        """How an entry names its value."""
        return f"${{input:{self.id}}}"

    @property
    def members(self) -> dict[str, object]:
        """As the host's file has it."""
        return {
            "type": "promptString",
            "id": self.id,
            "description": self.description,
            "password": True,
        }


def name_input(entry: str, variable: str, description: str) -> HostInput:
    """The input for the value of a variable of that entry."""
    stem = re.sub(r"[^A-Z0-9]+", "_", f"MCP_REMOTE_{entry}_".upper())
    about = re.sub(r"[^a-z0-9]+", "-", variable.removeprefix(stem).lower()).strip("-")
    # What is behind the last "--" has none: no two entries have the same.
    return HostInput(f"{OWN_INPUTS}{entry}--{about}", description)


def find_inputs(entry: object) -> list[str]:
    """The ids of ours that an entry refers to."""
    return list(dict.fromkeys(_REFERENCE.findall(json.dumps(entry, default=str))))


def put_inputs(content: bytes, place: Sequence[str], inputs: Iterable[HostInput]) -> bytes:
    """The content with these; one that is there as it should be keeps its spelling.

    Raises:
        BrokenConfig: the content is broken, or there is no list at `place`.
    """
    mark, text = decode_config(content)
    for one in inputs:
        there = [each for each in _read(text, place) if _id_of(each) == one.id]
        if there == [one.members]:
            continue
        if there:
            text = json_edit.remove_json_elements(text, tuple(place), _is_one_of([one.id]))
        text = json_edit.append_json_element(text, tuple(place), one.members)
    return mark + text.encode()


def drop_inputs(content: bytes, place: Sequence[str], ids: Iterable[str]) -> bytes:
    """The content without those of these ids that nothing in it refers to.

    Raises:
        BrokenConfig: as `put_inputs`.
    """
    mark, text = decode_config(content)
    unused = [one for one in ids if f"${{input:{one}}}" not in text]
    if unused:
        text = json_edit.remove_json_elements(text, tuple(place), _is_one_of(unused))
    return mark + text.encode()


def find_gone_inputs(before: bytes, after: bytes, place: Sequence[str]) -> list[HostInput]:
    """Those of ours that one content has and the other does not.

    Raises:
        BrokenConfig: one of them is broken.
    """
    old, new = (_read(decode_config(content)[1], place) for content in (before, after))
    left = [_id_of(one) for one in new]
    gone = [cast("Mapping[str, object]", one) for one in old if _id_of(one) not in left]
    return [
        HostInput(str(one.get("id")), str(one.get("description", "")))
        for one in gone
        if str(one.get("id")).startswith(OWN_INPUTS)
    ]


def _read(text: str, place: Sequence[str]) -> list[object]:
    found = json_edit.read_json_members(text, tuple(place[:-1])).get(place[-1])
    return cast("list[object]", found) if isinstance(found, list) else []


def _id_of(value: object) -> object:
    return cast("Mapping[str, object]", value).get("id") if isinstance(value, Mapping) else None


def _is_one_of(ids: Sequence[str]) -> Callable[[object], bool]:
    return lambda value: _id_of(value) in ids
