"""The entries of a host's config file: read, put in, taken out; all else stays byte for byte.

Bytes in, bytes out, whatever the host's format. Must not know hosts, their paths, or disks.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import Enum

from mcp_remote_py.hosts import json_edit, toml_edit
from mcp_remote_py.hosts.broken_config import BrokenConfig as BrokenConfig
from mcp_remote_py.hosts.config_bytes import decode_config

_Place = tuple[str, ...]

REACHING_MEMBERS = frozenset(
    {
        *("command", "args", "env", "environment", "type", "transport"),
        *("url", "serverUrl", "httpUrl", "headers"),
        *("http_headers", "env_http_headers", "bearer_token", "bearer_token_env_var"),
    }
)
"""Members of an entry that say how its server is reached. A new entry replaces all of them, those
too that it does not have: Codex refuses an entry with `command` and `url`, others take the wrong
one. What else a person has put there stays."""


class Form(Enum):
    """What the host's file is written in."""

    JSON = "JSON"
    """Also with comments and commas behind the last one, where the file has them already."""
    TOML = "TOML"


def read_entries(content: bytes, form: Form, place: _Place) -> dict[str, object]:
    """All members of the object at `place`; none where it is not there.

    Raises:
        BrokenConfig: the content is broken, or something at or above `place` is not an object.
    """
    _, text = decode_config(content)
    if form is Form.TOML:
        return toml_edit.read_toml_members(text, place)
    return json_edit.read_json_members(text, place)


def find_lines(content: bytes, form: Form, place: _Place, name: str) -> tuple[int, ...]:
    """The lines, from 1, on which entries of that name begin, of which the last one counts.

    In TOML a name that is there twice is broken, and is told as that: () there.

    Raises:
        BrokenConfig: as `read_entries`.
    """
    _, text = decode_config(content)
    return () if form is Form.TOML else json_edit.find_json_lines(text, place, name)


def set_entry(
    content: bytes, form: Form, place: _Place, name: str, entry: Mapping[str, object]
) -> bytes:
    """The content with that entry: a new one is the last, of an old one other members stay.

    Raises:
        BrokenConfig: as `read_entries`; also where the entry or what it is in is there twice, or
            it is not an object.
    """
    mark, text = decode_config(content)
    if form is Form.TOML:
        edited = toml_edit.merge_toml_table(text, place, name, entry, REACHING_MEMBERS)
    else:
        edited = json_edit.merge_json_object(text, place, name, entry, REACHING_MEMBERS)
    return mark + edited.encode()


def remove_entry(content: bytes, form: Form, place: _Place, name: str) -> bytes:
    """The content without that entry; as it is where there is none.

    Raises:
        BrokenConfig: as `set_entry`.
    """
    mark, text = decode_config(content)
    if form is Form.TOML:
        edited = toml_edit.remove_toml_member(text, place, name)
    else:
        edited = json_edit.remove_json_member(text, place, name)
    return mark + edited.encode()


def drop_empty_place(
    content: bytes, form: Form, place: _Place, earlier: Collection[bytes]
) -> bytes:
    """The content without the object of the entries, where it is empty and came with us.

    `earlier` is what the file was before changes of ours: just so without it, and never with it.

    Raises:
        BrokenConfig: as `set_entry`.
    """
    mark, text = decode_config(content)
    if form is Form.TOML or content in earlier or json_edit.read_json_members(text, place):
        return content
    without = mark + json_edit.remove_json_member(text, place[:-1], place[-1]).encode()
    return without if without in earlier else content


def set_json_member(content: bytes, place: _Place, name: str, value: object) -> bytes:
    """The content with that value as a whole as a member of the object at `place`.

    For what a host wants beside its entries, in files in JSON.

    Raises:
        BrokenConfig: as `set_entry`.
    """
    mark, text = decode_config(content)
    return mark + json_edit.set_json_value(text, place, name, value).encode()
