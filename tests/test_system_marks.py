"""The marks of a system follow from what a file uses."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.system_marks import ROOT, mark_of, runs_here


@pytest.mark.parametrize(
    ("name", "mark"),
    [
        ("tests/oauth/test_policy.py", None),
        ("tests/net/test_http1.py", None),
        ("tests/test_jsonrpc.py", None),
        ("tests/real/test_chromium.py", "linux"),
        ("tests/packaging/test_bundle.py", "linux"),
    ],
)
def test_a_test_file_carries_the_mark_of_what_it_needs(name: str, mark: str | None) -> None:
    assert mark_of(ROOT / name) == mark


@pytest.mark.parametrize(
    ("source", "mark"),
    [
        ("import json\n", None),
        ("import fcntl\n", "posix"),
        ("import os\n\nos.fork()\n", "posix"),
        ("from pathlib import Path\n\nPath('/proc/self/fd')\n", "linux"),
        ("from tests.harness import warm\n", "posix"),
        ("from tests.real.chromium import find_browser\n", "linux"),
    ],
)
def test_what_runs_where_is_read_from_the_words_of_a_file(
    source: str, mark: str | None, tmp_path: Path
) -> None:
    path = tmp_path / "test_one.py"
    path.write_text(source)
    assert mark_of(path) == mark
    assert runs_here(path, "linux")
    assert runs_here(path, "darwin") is (mark != "linux")
    assert runs_here(path, "win32") is (mark is None)
