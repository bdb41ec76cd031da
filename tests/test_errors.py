"""An error tells cause and next step, on one line."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_remote_py import errors
from mcp_remote_py.errors import (
    LOGIN_COMMAND,
    MAX_EXCERPT_LENGTH,
    ExchangeError,
    InvalidMessage,
    McpRemoteError,
    NotSent,
    Refused,
    SessionLost,
    UsageError,
    error_classes,
    explain_stars,
    name_server,
    one_line,
    runner_of,
    shorten,
)

PACKAGE = Path(errors.__file__).parent


def test_the_sentence_is_cause_and_hint() -> None:
    error = UsageError("The value of the header X is empty.", hint="Set it.")
    assert error.sentence() == "The value of the header X is empty. Set it."
    assert str(error) == error.cause == "The value of the header X is empty."
    assert error.hint == "Set it."


def test_without_a_hint_the_sentence_is_the_cause() -> None:
    assert NotSent("Nobody listens at host:1.").sentence() == "Nobody listens at host:1."


def test_an_exchange_error_carries_the_evidence() -> None:
    error = Refused("No.", hint="Wait.", status=429, retry_after=1.5, body=b"{}")
    assert (error.status, error.retry_after, error.body) == (429, 1.5, b"{}")
    bare = ExchangeError("No.")
    assert (bare.hint, bare.status, bare.retry_after, bare.body) == ("", None, None, None)


def test_an_invalid_message_carries_what_its_sender_must_be_answered() -> None:
    error = InvalidMessage("Broken.", code=-32700, raw_id=b"1")
    assert (error.code, error.raw_id, error.sentence()) == (-32700, b"1", "Broken.")
    assert InvalidMessage("Broken.", code=-32700).raw_id is None


def test_who_knows_more_makes_another_error_of_it() -> None:
    error = Refused("No.", hint="Wait.", status=429, retry_after=1.5, body=b"{}", is_answer=True)
    told = error.with_evidence("It said so.").with_hint("Go.")
    assert type(told) is Refused
    assert (str(told), told.cause, told.hint) == ("No. It said so.", "No. It said so.", "Go.")
    assert (told.status, told.retry_after, told.body, told.is_answer) == (429, 1.5, b"{}", True)
    assert error.sentence() == "No. Wait."
    assert error.with_evidence("").cause == "No."
    lost = SessionLost("Gone.", status=404).with_otherwise(error)
    assert (lost.otherwise, lost.with_hint("x").otherwise, lost.status) == (error, error, 404)


@pytest.mark.parametrize("kind", list(error_classes()), ids=lambda kind: kind.__name__)
def test_every_error_is_the_same_one_when_it_is_restored(kind: type[McpRemoteError]) -> None:
    members = {"cause": "No.", "hint": "Wait.", "status": 429}
    error = kind.restore(members)
    assert (type(error), str(error), error.__dict__) == (kind, "No.", members)
    assert error.sentence() == "No. Wait."


def test_a_lost_session_is_a_refusal_and_so_may_be_repeated() -> None:
    assert issubclass(SessionLost, Refused)


def test_every_error_of_the_module_is_drawn_in_its_tree() -> None:
    assert errors.__doc__
    for name, value in vars(errors).items():
        if isinstance(value, type) and issubclass(value, McpRemoteError):
            assert name in errors.__doc__


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("two\r\nlines", "two lines"),
        ("\x1b[31mred\x07", "[31mred"),
        ("line\u2028separator\u202e", "line separator"),
        ("lone \ud800", "lone"),
        ("  wide   gaps ", "wide gaps"),
        ("größer 日本", "größer 日本"),
        ("", ""),
    ],
)
def test_evidence_cannot_forge_lines_or_drive_a_terminal(text: str, line: str) -> None:
    assert one_line(text) == line
    assert McpRemoteError(text, hint=text).sentence() == f"{line} {line}".strip()


def test_a_foreign_text_is_cut_at_its_bound() -> None:
    assert shorten("a\nb") == "a b"
    assert shorten("x" * MAX_EXCERPT_LENGTH) == "x" * MAX_EXCERPT_LENGTH
    assert shorten("x" * 1000) == "x" * (MAX_EXCERPT_LENGTH - 1) + "…"


@given(st.text())
def test_a_sentence_is_always_one_printable_line(text: str) -> None:
    sentence = McpRemoteError(text, hint="Wait.").sentence()
    assert sentence.isprintable()
    assert sentence.encode()


@pytest.mark.promise("P2")
@pytest.mark.parametrize(
    ("hint", "named"),
    [
        (
            "Try again: mcp-remote-py login URL.",
            "Try again: mcp-remote-py login https://a.example/",
        ),
        (
            "Run mcp-remote-py login URL, or wait.",
            "Run mcp-remote-py login https://a.example/, or wait.",
        ),
        (
            "Run mcp-remote-py login URL. Then go on.",
            "Run mcp-remote-py login https://a.example/. Then go on.",
        ),
        ("Check that the URL is that of an MCP server.",) * 2,
        ("",) * 2,
    ],
)
def test_a_hint_names_the_server_to_sign_in_to(hint: str, named: str) -> None:
    assert name_server(hint, "https://a.example/") == named
    assert name_server(named, "https://b.example/") == named


@pytest.mark.promise("S2")
def test_the_server_is_named_without_what_may_be_secret() -> None:
    named = name_server("mcp-remote-py login URL.", r"https://u:p@a.example/\1?key=canary")
    assert named == r"mcp-remote-py login https://a.example/\1?key=****"
    assert explain_stars(named).startswith(f"{named} (**** stands for a part that may be secret")


@pytest.mark.promise("P2")
def test_options_stand_behind_the_server() -> None:
    named = name_server(r"Run mcp-remote-py login URL --paste.", "https://a.example/", r"-x '\1'")
    assert named == r"Run mcp-remote-py login https://a.example/ -x '\1' --paste."


@pytest.mark.promise("P2")
@pytest.mark.parametrize(
    ("prefix", "command"),
    [
        ("/home/me/.cache/uv/archive-v0/1bwV9DISf21T4cga", "uvx mcp-remote-py login"),
        (r"C:\Users\me\AppData\Local\uv\cache\archive-v0\x1", "uvx mcp-remote-py login"),
        ("/home/me/.local/share/uv/tools/mcp-remote-py", "mcp-remote-py login"),
        ("/home/me/project/.venv", "mcp-remote-py login"),
    ],
)
def test_who_came_by_uvx_is_told_to_type_it(prefix: str, command: str) -> None:
    hint = name_server(f"Sign in: {LOGIN_COMMAND}.", "https://a.example/", "", runner_of(prefix))
    assert hint == f"Sign in: {command} https://a.example/"


def login_hints() -> list[str]:
    """Every text of the program with a place for the server's address in a command to sign in."""
    texts = [
        text_of(node)
        for path in PACKAGE.rglob("*.py")
        if path.name != "errors.py" and path.parent.name != "cli"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.JoinedStr | ast.Constant)
    ]
    return [text for text in texts if "mcp-remote-py login U" in text]


def text_of(node: ast.JoinedStr | ast.Constant) -> str:
    """The text of a string; of its parts that are not known yet, only the command is filled in."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    parts: list[str] = []
    for part in node.values:
        if isinstance(part, ast.Constant):
            parts.append(text_of(part))
        elif isinstance(part, ast.FormattedValue) and isinstance(part.value, ast.Name):
            parts.append(LOGIN_COMMAND * (part.value.id == "LOGIN_COMMAND"))
    return "".join(parts)


@pytest.mark.promise("P2")
def test_every_such_hint_of_the_program_gets_its_address() -> None:
    hints = login_hints()
    assert len(hints) > 15
    for hint in hints:
        named = name_server(hint, "https://a.example/mcp")
        assert "URL" not in named
        assert "mcp-remote-py login https://a.example/mcp" in named
