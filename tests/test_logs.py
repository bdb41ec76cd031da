"""Log lines: where they go, how they look, what they never contain, whom they never hold up."""

from __future__ import annotations

import io
import logging
import os
import re
import stat
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import pytest

from mcp_remote_py import logs
from mcp_remote_py.errors import UsageError
from mcp_remote_py.redact import Secret, remember
from mcp_remote_py.settings.commands import LogSettings

SECONDS = 10
"""Longest wait for what must happen at once."""
log = logging.getLogger("mcp_remote_py.test")
posix = os.name == "posix"


@contextmanager
def configured(
    settings: LogSettings, stderr: TextIO | None, secrets: tuple[Secret, ...] = ()
) -> Generator[logs.Logs]:
    handle = logs.configure(settings, secrets, stderr)
    try:
        yield handle
    finally:
        handle.close()


def lines_of(settings: LogSettings, say: str, level: int = logging.INFO) -> list[str]:
    stderr = io.StringIO()
    with configured(settings, stderr) as handle:
        log.log(level, "%s", say)
        assert handle.flush(SECONDS)
    return stderr.getvalue().splitlines()


def test_a_line_on_stderr_is_short() -> None:
    assert lines_of(LogSettings(), "connected") == ["[mcp-remote-py] connected"]


def test_details_are_left_out_unless_debug_is_asked_for() -> None:
    assert lines_of(LogSettings(), "detail", logging.DEBUG) == []
    (line,) = lines_of(LogSettings(level="DEBUG"), "detail", logging.DEBUG)
    form = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3} DEBUG mcp_remote_py\.test: detail"
    assert re.fullmatch(form, line)


def test_silent_means_nothing_on_stderr_and_nothing_from_logging_itself(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert lines_of(LogSettings(level=""), "failed", logging.ERROR) == []
    assert capfd.readouterr().err == ""


def test_a_message_stays_one_line() -> None:
    assert lines_of(LogSettings(), "a\r\nb\x1b[2J\u2028c") == ["[mcp-remote-py] a b [2J c"]


def test_a_traceback_is_for_details_only() -> None:
    for settings, expected in ((LogSettings(), False), (LogSettings(level="DEBUG"), True)):
        stderr = io.StringIO()
        with configured(settings, stderr) as handle:
            try:
                raise RuntimeError("some\nreason")
            except RuntimeError:
                log.exception("It failed.")
            assert handle.flush(SECONDS)
        text = stderr.getvalue()
        assert "It failed." in text
        assert ("Traceback" in text) is expected
        assert expected or text.count("\n") == 1


@pytest.mark.promise("S2")
@pytest.mark.parametrize("level", ["INFO", "DEBUG"])
def test_known_secrets_are_scrubbed_from_text_arguments_and_traceback(
    level: str, tmp_path: Path
) -> None:
    stderr = io.StringIO()
    path = tmp_path / "log"
    settings = LogSettings(level=level, file=str(path))
    with configured(settings, stderr, (Secret("Bearer log-secret-1"),)) as handle:
        remember([Secret("log-secret-2")])
        try:
            raise RuntimeError("log-secret-1 is in the traceback")
        except RuntimeError:
            log.exception("text log-secret-1, argument %s", "log-secret-2")
        assert handle.flush(SECONDS)
    for text in (stderr.getvalue(), path.read_text()):
        assert "text ****, argument ****" in text
        assert "log-secret" not in text


def test_a_line_that_cannot_be_formatted_raises_nothing() -> None:
    stderr = io.StringIO()
    with configured(LogSettings(), stderr) as handle:
        # By the handler alone: the test runner's own handler would raise.
        broken = logging.LogRecord("mcp_remote_py.x", 20, "", 1, "%d", ("no number",), None)
        logging.getLogger().handlers[-1].handle(broken)
        assert handle.flush(SECONDS)
    assert stderr.getvalue() == (
        "[mcp-remote-py] A line of mcp_remote_py.x could not be formatted (TypeError).\n"
    )


@pytest.mark.promise("S2")
@pytest.mark.parametrize("name", ["httpcore.http11", "h11", "httpx", "asyncio"])
def test_libraries_are_heard_from_warnings_on_only(name: str) -> None:
    stderr = io.StringIO()
    with configured(LogSettings(level="DEBUG"), stderr) as handle:
        logging.getLogger(name).debug("send_request_headers")
        logging.getLogger(name).info("HTTP Request")
        logging.getLogger(name).warning("trouble")
        assert handle.flush(SECONDS)
    (line,) = stderr.getvalue().splitlines()
    assert line.endswith(f"WARNING {name}: trouble")


@pytest.mark.promise("R2")
def test_stdout_is_refused_as_the_place_for_lines() -> None:
    with (
        open(1, "w", closefd=False) as stdout,
        pytest.raises(ValueError, match="stdout belongs to the protocol"),
    ):
        logs.configure(LogSettings(), (), stdout)


@pytest.mark.promise("R2")
def test_stdout_is_refused_as_the_file(tmp_path: Path) -> None:
    path = tmp_path / "stdout"
    with path.open("w") as stdout, pytest.raises(UsageError) as caught:
        logs.configure(LogSettings(file=str(path)), (), None, stdout.fileno())
    assert caught.value.sentence() == (
        "--log-file is stdout, which belongs to the protocol. "
        "Name a file; stderr gets the lines anyway."
    )


def test_the_null_device_may_be_both() -> None:
    with open(os.devnull, "w") as stdout:
        logs.configure(LogSettings(file=os.devnull), (), None, stdout.fileno()).close()


def test_a_closed_stdout_is_not_a_file(tmp_path: Path) -> None:
    path = tmp_path / "log"
    logs.configure(LogSettings(file=str(path)), (), None, -1).close()
    assert path.exists()


def test_no_stderr_at_all_is_fine() -> None:
    with configured(LogSettings(), None) as handle:
        log.error("nobody hears this")
        assert handle.flush(0)


def test_a_closed_stderr_is_fine() -> None:
    stderr = io.StringIO()
    stderr.close()
    with configured(LogSettings(), stderr) as handle:
        log.error("nobody hears this")
        assert handle.flush(SECONDS)


def test_a_pipe_whose_reader_is_gone_is_fine() -> None:
    read, write = os.pipe()
    os.close(read)
    stderr = os.fdopen(write, "w")
    with configured(LogSettings(), stderr) as handle:
        log.error("nobody hears this")
        assert handle.flush(SECONDS)
    with pytest.raises(BrokenPipeError):  # the text is still in the stream
        stderr.close()


@pytest.mark.promise("R6", "R7")
def test_a_host_that_never_reads_stderr_holds_nobody_up() -> None:
    read, write = os.pipe()
    line = "x" * 200
    # The pipe takes some hundred lines, the writer holds at most a full queue, and one more waits.
    said = 3 * logs.MAX_WAITING_LINES
    with os.fdopen(write, "w") as stderr, configured(LogSettings(), stderr) as handle:

        def say_all() -> None:
            for _ in range(said):
                log.info(line)
            log.info("the last one")

        sayer = threading.Thread(target=say_all, daemon=True)
        sayer.start()
        sayer.join(SECONDS)
        assert not sayer.is_alive()
        assert handle.flush(0.01) is False
        # The host begins to read after all: it learns how much it has missed.
        heard: list[str] = []
        with os.fdopen(read) as reader:
            listener = threading.Thread(target=lambda: heard.extend(reader), daemon=True)
            listener.start()
            assert handle.flush(SECONDS)
            stderr.close()
            listener.join(SECONDS)
            assert not listener.is_alive()
    missed = [text for text in heard if "dropped" in text]
    dropped = 0
    for text in missed:
        words = re.fullmatch(
            r"\[mcp-remote-py\] (\d+) more lines were dropped: nobody read them\.\n", text
        )
        assert words is not None, text
        dropped += int(words[1])
    assert dropped > 0
    assert len(heard) - len(missed) + dropped == said + 1
    assert set(heard) - set(missed) <= {
        f"[mcp-remote-py] {line}\n",
        "[mcp-remote-py] the last one\n",
    }


def test_the_file_has_time_level_and_logger(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("before\n")
    with configured(LogSettings(level="", file=str(path)), None):
        log.info("größer")
        log.debug("detail")
    before, line = path.read_text("utf-8").splitlines()
    assert before == "before"
    assert line.endswith(" INFO mcp_remote_py.test: größer")


@pytest.mark.promise("S2")
@pytest.mark.parametrize("existing", [None, 0o644, 0o600])
def test_only_its_owner_reads_the_file(existing: int | None, tmp_path: Path) -> None:
    path = tmp_path / "log"
    if existing is not None:
        path.touch()
        path.chmod(existing)
    with configured(LogSettings(file=str(path)), None):
        mode = stat.S_IMODE(path.stat().st_mode)
    assert mode == 0o600 if posix else path.exists()


def test_closing_twice_is_fine(tmp_path: Path) -> None:
    handle = logs.configure(LogSettings(file=str(tmp_path / "log")), (), None)
    handle.close()
    handle.close()
    log.error("nobody hears this")


def test_a_full_disk_raises_nothing() -> None:
    if Path("/dev/full").exists():
        with configured(LogSettings(file="/dev/full"), None):
            log.error("nobody hears this")


def sentence_of(path: str) -> str:
    with pytest.raises(UsageError) as caught:
        logs.configure(LogSettings(file=path), (), None)
    return caught.value.sentence()


def test_a_file_that_cannot_be_opened_is_a_usage_error(tmp_path: Path) -> None:
    path = str(tmp_path / "no" / "log")
    assert sentence_of(path) == (
        f"--log-file: cannot write {path}: No such file or directory. "
        "Name the file itself, in a folder that exists and is yours."
    )
    assert sentence_of("a\0b") == (
        "--log-file: cannot write a b: not a file name. "
        "Name the file itself, in a folder that exists and is yours."
    )
