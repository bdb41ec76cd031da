"""Files of the person: bounded, and a header file only once nobody is writing it."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from mcp_remote_py.named_files import (
    INTERVAL,
    MAX_FILE_BYTES,
    PATIENCE,
    STILL_FOR,
    UNFINISHED_STILL_FOR,
    read_named,
    read_settled,
)

WRITTEN = 1000.0
"""When the file of a test was written last."""


class Time:
    """The time of day, which passes only where somebody sleeps; `meanwhile` happens then."""

    def __init__(self, path: Path, after: float) -> None:
        self.path = path
        self.moment = WRITTEN + after
        self.slept = 0.0
        self.meanwhile: dict[int, str] = {}
        self._sleeps = 0
        self._stamp(WRITTEN)

    def now(self) -> float:
        return self.moment

    def sleep(self, seconds: float) -> None:
        self.moment += seconds
        self.slept += seconds
        self._sleeps += 1
        if self._sleeps in self.meanwhile:
            self.write(self.meanwhile[self._sleeps])

    def write(self, text: str) -> None:
        self.path.write_text(text)
        self._stamp(self.moment)

    def _stamp(self, moment: float) -> None:
        os.utime(self.path, (moment, moment))


def written(folder: Path, text: str, after: float) -> Time:
    path = folder / "headers"
    path.write_text(text)
    return Time(path, after)


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("A: b\n", STILL_FOR),
        ("A: b", UNFINISHED_STILL_FOR),
        ("", UNFINISHED_STILL_FOR),
        ("", 3600),
        ("A: b", -3600),  # of a clock that is wrong
    ],
)
def test_what_has_been_still_is_read_at_once(tmp_path: Path, text: str, after: float) -> None:
    time = written(tmp_path, text, after)
    assert read_settled(str(time.path), time.now, time.sleep) == text
    assert time.slept == 0


@pytest.mark.promise("S4")
@pytest.mark.parametrize("begin", ["", "Authorizat", "X-First: 1\n", "Authorization: Bearer abc"])
def test_what_is_being_written_is_waited_for(tmp_path: Path, begin: str) -> None:
    time = written(tmp_path, begin, 0.0)
    time.meanwhile = {2: begin + "more", 4: "Authorization: Bearer abcdef\nX-First: 1\n"}
    assert read_settled(str(time.path), time.now, time.sleep).endswith("abcdef\nX-First: 1\n")
    assert time.slept == pytest.approx(4 * INTERVAL + STILL_FOR, abs=INTERVAL)


@pytest.mark.promise("S4")
def test_what_never_comes_to_rest_is_an_error_in_bounded_time(tmp_path: Path) -> None:
    time = written(tmp_path, "", 0.0)
    time.meanwhile = {number: f"A: {number}" for number in range(1000)}
    with pytest.raises(OSError, match="again and again") as caught:
        read_settled(str(time.path), time.now, time.sleep)
    assert caught.value.errno == errno.EBUSY
    assert time.slept == pytest.approx(PATIENCE, abs=2 * INTERVAL)


@pytest.mark.parametrize(("text", "least"), [("A: b\n", STILL_FOR), ("A: b", UNFINISHED_STILL_FOR)])
def test_file_system_that_always_says_now_is_believed_by_what_stays_the_same(
    tmp_path: Path, text: str, least: float
) -> None:
    time = written(tmp_path, text, 0.0)
    time.meanwhile = dict.fromkeys(range(1000), text)
    assert read_settled(str(time.path), time.now, time.sleep) == text
    assert time.slept == pytest.approx(least, abs=2 * INTERVAL)


def test_a_real_writer_that_truncates_first_is_never_met_halfway(tmp_path: Path) -> None:
    path = tmp_path / "headers"
    path.write_text("A: old\n")
    between = threading.Event()

    def write() -> None:
        with path.open("w") as file:
            file.write("A: n")
            file.flush()
            between.set()
            reading.wait(5)
            file.write("ew\nB: c\n")

    reading = threading.Event()
    writer = threading.Thread(target=write)
    writer.start()
    assert between.wait(5)
    reading.set()
    assert read_settled(str(path)) == "A: new\nB: c\n"
    writer.join(5)


@pytest.mark.parametrize("read", [read_named, read_settled])
def test_no_more_is_read_than_the_bound(tmp_path: Path, read: Callable[[str], str]) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    os.utime(path, (WRITTEN, WRITTEN))
    with pytest.raises(OSError, match="larger than") as caught:
        read(str(path))
    assert caught.value.errno == errno.EFBIG


def test_endless_devices_and_pipes_are_not_a_trap(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero")):
        with pytest.raises(OSError, match="not a regular file"):
            read_settled(str(path))
        with pytest.raises(OSError, match="not a regular file"):
            read_named(str(path))


@pytest.mark.parametrize("content", ["A: b\r\n".encode("utf-16"), b"A: \xff\n"])
def test_other_encodings_are_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "headers"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="utf-8"):
        read_named(str(path))


def test_the_mark_that_editors_on_windows_write_is_not_a_part_of_the_text(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"\xef\xbb\xbf-----BEGIN x\n")
    assert read_named(str(path)) == "-----BEGIN x\n"
