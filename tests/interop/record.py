"""Writes what was seen at real systems as JSON that a person can compare.

A line for each step or cell: whatever has no objects in it. Seconds to a tenth, as the documents
tell them. Must not know what was seen.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast


def write_record(path: Path, seen: Any) -> None:
    """Writes it into that file, whole."""
    path.write_text(f"{''.join(_render(_round(seen), 0))}\n", encoding="utf-8", newline="\n")


def _round(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _round(one) for key, one in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [_round(one) for one in cast("Sequence[Any]", value)]
    return round(value, 1) if isinstance(value, float) else value


def _render(value: Any, depth: int) -> Iterator[str]:
    if not _has_objects(value):
        yield json.dumps(value, ensure_ascii=False)
        return
    is_object = isinstance(value, dict)
    opening, closing = "{}" if is_object else "[]"
    members = cast("dict[str, Any]", value).items() if is_object else enumerate(value)
    yield opening
    for count, (name, member) in enumerate(members):
        yield f"{',' if count else ''}\n{' ' * (depth + 1)}"
        if is_object:
            yield f"{json.dumps(name, ensure_ascii=False)}: "
        yield from _render(member, depth + 1)
    yield f"\n{' ' * depth}{closing}"


def _has_objects(value: Any) -> bool:
    """Whether there are objects in it."""
    if isinstance(value, dict):
        inner = list(cast("dict[str, Any]", value).values())
        return any(isinstance(one, dict) or _has_objects(one) for one in inner)
    if isinstance(value, list):
        return any(isinstance(one, dict) for one in cast("list[Any]", value))
    return False
