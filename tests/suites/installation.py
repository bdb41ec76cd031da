"""Fetches the Python SDK's source, which its tests come with, and what they need beside ours.

Once per content of the two requirements files, into a folder that Git does not see. The source is
held to its hash, as its tests are run. Must not know what is done with them.
"""

from __future__ import annotations

import re
import shutil
import sys
import tarfile
from pathlib import Path
from typing import NamedTuple

from tests.real.installation import digest, is_current, run

HERE = Path(__file__).parent
FETCHED = HERE / ".python-sdk"
SOURCE = HERE / "requirements-source.txt"
NEEDED = HERE / "requirements-suite.txt"


class PythonSdk(NamedTuple):
    """What was fetched.

    Attributes:
        source: the folder that `tests` lies in.
        packages: what is to be on the path beside it.
    """

    source: Path
    packages: Path


def version_of_source() -> str:
    """Of the SDK."""
    found = re.match(r"mcp==(\S+)", SOURCE.read_text("utf-8"))
    assert found, SOURCE
    return found[1]


def install_python_sdk() -> PythonSdk:
    """Makes the folder hold what the two files say.

    Raises:
        NotInstalled: it cannot be had.
    """
    name = f"mcp-{version_of_source()}"
    found = PythonSdk(FETCHED / name, FETCHED / "packages")
    stamp = FETCHED / ".installed"
    wanted = digest(SOURCE, NEEDED) + f" {sys.version}"
    if not is_current(stamp, wanted):
        shutil.rmtree(FETCHED, ignore_errors=True)
        FETCHED.mkdir()
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
        quick = ["--no-compile", "--target", str(found.packages)]
        exact = ["--no-deps", "--require-hashes", "--requirement"]
        run([*pip, "install", *quick, *exact, str(NEEDED)], HERE)
        # pip asks a source for its metadata; what that needs was just installed.
        plain = ["--no-binary", "mcp", "--no-build-isolation", "--dest", str(FETCHED)]
        words = [*pip, "download", *plain, *exact, str(SOURCE)]
        run(words, HERE, {"PYTHONPATH": str(found.packages)})
        with tarfile.open(FETCHED / f"{name}.tar.gz") as archive:
            inside = [one for one in archive if one.name.startswith(f"{name}/tests/")]
            archive.extractall(FETCHED, inside, filter="data")
        stamp.write_text(wanted)
    return found
