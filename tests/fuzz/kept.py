"""What lies on a disk: records, what a server said last, hosts' config files.

The judges are `json`, `tomllib` and the good file beside. Must not know corpora.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
import tempfile
import tomllib
from pathlib import Path
from typing import Any, cast

import msgspec

from mcp_remote_py.channel import ServerSnapshot
from mcp_remote_py.credentials.sealed import PENDING_SUFFIX, SUFFIX, SealedStore
from mcp_remote_py.credentials.server_cache import SNAPSHOT_SCHEMA, ServerCache
from mcp_remote_py.credentials.session_files import SessionFile, SessionRecord
from mcp_remote_py.credentials.store import (
    BrokenRecord,
    decode_credential,
    decode_pending,
    encode_credential,
    encode_pending,
)
from mcp_remote_py.errors import StoreError
from mcp_remote_py.hosts.broken_config import BrokenConfig
from mcp_remote_py.hosts.config_text import (
    Form,
    read_entries,
    remove_entry,
    set_entry,
    set_json_member,
)
from mcp_remote_py.oauth import budget as budgets
from mcp_remote_py.parsing import parse_message
from mcp_remote_py.session_id import SessionId
from mcp_remote_py.settings.commands import ToolRules
from mcp_remote_py.stand_in import StandIn
from mcp_remote_py.tools import ToolCatalog
from mcp_remote_py.versions import HANDSHAKE_VERSIONS
from tests.credentials.contract import FULL, OTHER, SESSION
from tests.credentials.test_sealed import PENDING, FixedKeys
from tests.fakes import encode_request
from tests.fuzz.cuts import choose, split_off
from tests.hosts.test_made_files import ENTRY

# ------------------------------------------------------------------ records

NOW = 1_800_000_000.0
SERVER = "https://mcp.example.com/mcp"


def check_records(data: bytes) -> None:
    """Any bytes are a record or none; the tokens beside them stay, and so do the bytes."""
    way, content = split_off(data)
    (_check_credential, _check_pending, _check_state, _check_sealed)[way % 4](content)


def _check_credential(content: bytes) -> None:
    try:
        found = decode_credential(content)
    except BrokenRecord as error:
        _check_cause(error)
        return
    assert decode_credential(encode_credential(found)) == found


def _check_cause(error: BrokenRecord) -> None:
    """No value is repeated: it may be a token."""
    assert error.sentence().isprintable()
    assert len(error.sentence()) < 120


def _check_pending(content: bytes) -> None:
    try:
        found = decode_pending(content)
    except BrokenRecord as error:
        _check_cause(error)
        return
    assert decode_pending(encode_pending(found)) == found


def _check_sealed(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = SealedStore(Path(folder), FixedKeys(), lambda size: b"r" * size)
        store.save(OTHER, FULL)
        store.save_pending(OTHER, PENDING)
        broken = [Path(folder) / f"{SESSION}{suffix}" for suffix in (SUFFIX, PENDING_SUFFIX)]
        for path in broken:
            path.write_bytes(content)
            path.chmod(0o600)
        for load in (store.load, store.load_pending):
            with contextlib.suppress(StoreError):
                assert load(SESSION) is None
        assert store.load(OTHER) == FULL
        assert store.load_pending(OTHER) == PENDING
        for path in broken:
            kept = [one.read_bytes() for one in Path(folder).glob(f"{path.name}*")]
            assert content in kept, "what could not be read is lost"
        store.save(SESSION, FULL)
        assert store.load(SESSION) == FULL


def _check_state(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        session = SessionId(SERVER)
        path = Path(folder) / f"{session.record_name}.json"
        path.write_bytes(content)
        path.chmod(0o600)
        file = SessionFile(Path(folder), session)
        read, looked = file.read(), file.look()
        assert read.server in ("", SERVER)
        assert looked.session == session
        if read == SessionRecord() and content:
            assert budgets.wait_for_tab(looked.budget, path.stat().st_mtime, step_up=False) > 0
        check_budget(looked.budget)
        file.update(transport="HTTP+SSE")
        after = SessionFile(Path(folder), session).look()
        assert after == msgspec.structs.replace(looked, transport="HTTP+SSE")
        if read == SessionRecord() and content:
            kept = [one.read_bytes() for one in Path(folder).glob(f"{path.name}*")]
            assert content in kept, "what could not be read is lost"


def check_budget(budget: budgets.SignInBudget) -> None:
    """Whatever stands there, it is a time to wait, and what is noted is no more than was left."""
    for step_up in (False, True):
        wait = budgets.wait_for_tab(budget, NOW, step_up=step_up)
        assert 0 <= wait <= 2 * budgets.DAY, wait
        after = budgets.wait_for_tab(budgets.note_tab(budget, NOW), NOW, step_up=step_up)
        assert after >= 0
    assert budgets.wait_for_tab(budgets.note_tab(budget, NOW), NOW, step_up=False) > 0
    budgets.may_show_again(budget, NOW)
    for each in (budgets.note_renewal(budget, NOW), budgets.note_failed_attempt(budget, NOW)):
        assert math.isfinite(budgets.wait_for_tab(each, NOW, step_up=False))


# ------------------------------------------------------------------ what a server said last

HIDDEN = "hidden-tool"
SNAPSHOT_HEAD = b'{"schema":%d,"session":"%b"' % (SNAPSHOT_SCHEMA, SessionId(SERVER).key.encode())
"""The beginning of the file; two members follow."""


def check_snapshots(data: bytes) -> None:
    """Any bytes are what the server said, as it said it, or nothing; the host hears only JSON.

    A first byte below 128 is before a whole file, another one before the two parts of one.
    """
    way, content = split_off(data)
    session = SessionId(SERVER)
    if way >= 128:
        initialize, _, tools = content.partition(b"\0")
        content = b'%b,"initialize":%b,"tools":%b}' % (SNAPSHOT_HEAD, initialize, tools)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{session.record_name}.known"
        path.write_bytes(content)
        path.chmod(0o600)
        known = _open_cache(folder, session).read()
        for part in known.parts():
            assert part in content
            check_answer(part or b"{}")
        said = ServerSnapshot(b'{"n":1}', choose(way, b"", b'{"tools":[]}'))
        _open_cache(folder, session).keep(said)
        after = _open_cache(folder, session).read()
        assert after == said.replace(tools=said.tools or known.tools)
    _check_stand_in(known, way)


def _open_cache(folder: str, session: SessionId) -> ServerCache:
    return ServerCache(Path(folder), session, lambda size: b"r" * size)


def check_answer(answer: bytes) -> Any:
    """A value of JSON on one line, and what it is; too deep for the judge is None."""
    assert b"\n" not in answer
    assert b"\r" not in answer
    try:
        return json.loads(answer, parse_int=_read_integer)
    except RecursionError:
        return None


def _check_stand_in(known: ServerSnapshot, way: int) -> None:
    rules = ToolRules(ignore=(HIDDEN,), read_only=bool(way & 4))
    params = {"protocolVersion": choose(way >> 3, "2025-06-18", "2024-11-05", "1999-01-01")}
    stand_in = StandIn(
        parse_message(encode_request(1, "initialize", params)),
        SERVER,
        known,
        ToolCatalog(rules),
        lambda: choose(way >> 1, "Open the page.", ""),
        lambda: bool(way & 2),
        is_away=bool(way & 32),
    )
    greeting = check_answer(stand_in.greet())
    assert greeting is None or greeting["protocolVersion"] in HANDSHAKE_VERSIONS
    for method in ("tools/list", "prompts/list", "resources/list", "ping", "tools/call"):
        answer = stand_in.answer(
            parse_message(encode_request(2, method, {"name": "sign_in", "arguments": {}}))
        )
        found = None if answer is None else check_answer(answer)
        assert found is None or isinstance(found, dict)
        if found is not None and method == "tools/list":
            assert "nextCursor" not in found
            assert not any(HIDDEN == name for name in _names_in(found["tools"]))


def _names_in(tools: Any) -> list[object]:
    assert isinstance(tools, list)
    return [
        cast("dict[str, object]", one).get("name")
        for one in cast("list[object]", tools)
        if isinstance(one, dict)
    ]


# ------------------------------------------------------------------ hosts' config files


def check_json_config(data: bytes) -> None:
    """Refused with a place in the text, or one entry changes and all else stays, byte for byte."""
    way, content = split_off(data)
    place = (("mcpServers",), ("a", "mcpServers"), ("mcp", "servers"), ("context_servers",))[
        way % 4
    ]
    _check_config(content, Form.JSON, place)
    try:
        text = set_json_member(content, place[:-1], "inputs", [1])
        assert set_json_member(text, place[:-1], "inputs", [1]) == text
    except BrokenConfig as error:
        check_place(content, error)


def check_toml_config(data: bytes) -> None:
    """The same for TOML."""
    way, content = split_off(data)
    _check_config(content, Form.TOML, (("mcp_servers",), ("a", "mcp_servers"))[way % 2])


def _check_config(content: bytes, form: Form, place: tuple[str, ...]) -> None:
    try:
        entries = read_entries(content, form, place)
    except BrokenConfig as error:
        check_place(content, error)
        return
    before = _value_of(content, form)
    try:
        put = set_entry(content, form, place, "new", ENTRY)
    except BrokenConfig as error:
        check_place(content, error)
        return
    if "new" not in entries:
        assert _same(read_entries(put, form, place), {**entries, "new": ENTRY})
        back = remove_entry(put, form, place, "new")
        if _has(before, place):
            assert back == content, "what was put in and taken out is not as before"
        else:
            assert _rest(_value_of(back, form), place) == _rest(before, place)
    assert set_entry(put, form, place, "new", ENTRY) == put
    assert _rest(_value_of(put, form), place) == _rest(before, place)
    for name, entry in entries.items():
        try:
            left = remove_entry(content, form, place, name)
            others = {each: one for each, one in entries.items() if each != name}
            assert _same(read_entries(left, form, place), others)
            assert _rest(_value_of(left, form), place) == _rest(before, place)
            changed = set_entry(content, form, place, name, ENTRY)
        except BrokenConfig as error:
            check_place(content, error)
            continue
        found = cast("dict[str, Any]", read_entries(changed, form, place))
        assert _same({each: one for each, one in found.items() if each != name}, others)
        assert {**cast("dict[str, Any]", entry), **found[name]}.keys() >= ENTRY.keys()
        assert all(found[name][each] == one for each, one in ENTRY.items())
        assert _rest(_value_of(changed, form), place) == _rest(before, place)


def check_place(content: bytes, error: BrokenConfig) -> None:
    """It is in the text, and no value is repeated."""
    assert error.sentence().isprintable()
    if not error.line:
        return
    lines = re.split(r"\r\n|\r|\n", content.removeprefix(b"\xef\xbb\xbf").decode(errors="replace"))
    assert 1 <= error.line <= len(lines), (error.line, len(lines))
    assert 1 <= error.column <= len(lines[error.line - 1]) + 1, error.sentence()


def _value_of(content: bytes, form: Form) -> Any:
    text = content.removeprefix(b"\xef\xbb\xbf").decode()
    if form is Form.TOML:
        return tomllib.loads(text)
    plain = _strip(text)
    return json.loads(plain, parse_int=_read_integer) if plain.strip() else None


def _read_integer(digits: str) -> int | float:
    return int(digits) if len(digits) < 600 else float(digits)


_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\r\n]*|/\*.*?\*/|[^"/]+|.', re.DOTALL)
_LAST_COMMA = re.compile(r'("(?:[^"\\]|\\.)*")|,(?=\s*[\]}])', re.DOTALL)


def _strip(text: str) -> str:
    """Without comments and commas behind the last one: for `json`, the judge."""
    parts = (match[0] for match in _TOKEN.finditer(text))
    bare = "".join(" " if part.startswith(("//", "/*")) else part for part in parts)
    return _LAST_COMMA.sub(lambda match: match[1] or "", bare)


def _has(value: Any, place: tuple[str, ...]) -> bool:
    for name in place:
        if not isinstance(value, dict) or name not in value:
            return False
        value = cast("dict[str, Any]", value)[name]
    return True


def _rest(value: Any, place: tuple[str, ...]) -> str:
    """All but the entries; where they would lie alone, nothing."""
    copy: Any = json.loads(json.dumps(value, default=repr)) if value is not None else {}
    way = [copy]
    for name in place:
        if not isinstance(way[-1], dict) or name not in way[-1]:
            break
        way.append(way[-1][name])
    if len(way) > len(place):
        way[-1].clear()
    for name, outer in zip(reversed(place[: len(way) - 1]), reversed(way[:-1]), strict=True):
        if not outer[name]:
            del outer[name]
    return json.dumps(copy)


def _same(one: object, other: object) -> bool:
    return json.dumps(one, default=repr) == json.dumps(other, default=repr)
