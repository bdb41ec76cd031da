"""A conversation is played to its end, and files are read for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcp_remote_py.errors import UsageError
from mcp_remote_py.oauth.steps import AnyStep, Conversation, ReadNamedFile, Report
from mcp_remote_py.signin.driver import drive, read_secret
from tests.fakes import run


@pytest.mark.promise("A3")
def test_a_file_is_read_as_it_is_now(tmp_path: Path) -> None:
    path = tmp_path / "jwt"
    for text in ("first", "second"):
        path.write_text(text)
        assert read_secret(ReadNamedFile(str(path), "--jwt-bearer")).reveal() == text


@pytest.mark.promise("A3")
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    missing, strange = tmp_path / "missing", tmp_path / "strange"
    strange.write_bytes(b"\xff")
    for path, cause in [
        (missing, f"--jwt-bearer: cannot read {missing}: No such file or directory."),
        (strange, f"--jwt-bearer: {strange} is not a UTF-8 text file."),
    ]:
        with pytest.raises(UsageError) as refused:
            read_secret(ReadNamedFile(str(path), "--jwt-bearer"))
        assert refused.value.cause == cause
        assert refused.value.hint


@pytest.mark.promise("L5")
def test_a_fault_of_whoever_does_a_step_is_the_conversations_to_count() -> None:
    done: list[AnyStep] = []

    def conversation() -> Conversation[None]:
        try:
            yield Report("first")
        except ArithmeticError:
            yield Report("counted")
            raise

    async def do(step: AnyStep) -> None:
        done.append(step)
        if len(done) == 1:
            raise ArithmeticError

    with pytest.raises(ArithmeticError):
        run(drive(conversation(), do))
    assert done == [Report("first"), Report("counted")]
