"""Lists the licences of all that people get with the command, and judges them.

What is locked in requirements-runtime.lock is looked up where it is installed; what another system
gets is in a table here. Judging is pure. Must not import mcp_remote_py.
"""

import re
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements-runtime.lock"

ALLOWED = frozenset(
    {"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0", "PSF-2.0", "Python-2.0"}
    # Asks for nothing of a program that only uses it unchanged: certifi.
    | {"MPL-2.0"}
)
"""SPDX names of licences with which anybody may use and pass on the whole."""

CLASSIFIERS = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
"""What older packages say in the place of an SPDX name."""

WORDS = {"Dual License": "Apache-2.0 OR BSD-3-Clause"}
"""What one says in its own words: python-dateutil, whose LICENSE has both."""

ELSEWHERE = {
    "backports-tarfile": "MIT",
    "colorama": "BSD-3-Clause",
    "httpx2-jsfetch": "BSD-3-Clause",
    "importlib-metadata": "Apache-2.0",
    "jeepney": "MIT",
    "lazy-importer": "Apache-2.0",
    "pywin32": "PSF-2.0",
    "pywin32-ctypes": "BSD-3-Clause",
    "secretstorage": "BSD-3-Clause",
    "zipp": "MIT",
}
"""What only some systems or Pythons get, as its page on the index says."""


def locked(text: str) -> dict[str, str]:
    """Names and versions in the text of a lock."""
    return dict(re.findall(r"(?m)^([a-z0-9.-]+)==(\S+)", text))


def is_allowed(expression: str) -> bool:
    """Whether an SPDX expression leaves a way that is allowed: one of `OR`, all of `AND`.

    Brackets are not read: an expression with them is refused, and somebody looks at it.
    """
    return any(
        all(name.strip() in ALLOWED for name in part.split(" AND "))
        for part in expression.split(" OR ")
    )


def licence_of(name: str) -> str | None:
    """The SPDX expression of an installed package, or of one that is not needed here."""
    try:
        told = distribution(name).metadata
    except PackageNotFoundError:
        return ELSEWHERE.get(name)
    stated = told.get_all("License-Expression") or told.get_all("License") or [""]
    words = str(stated[0]).strip()
    licence = WORDS.get(words, words)
    if "\n" not in licence and is_allowed(licence):
        return licence
    classified = [
        CLASSIFIERS.get(line.rpartition(" :: ")[2], line)
        for line in map(str, told.get_all("Classifier") or ())
        if line.startswith("License :: ")
    ]
    return " AND ".join(classified) or licence or None


def judge(licences: dict[str, str | None]) -> list[str]:
    """A line for each package that must not be shipped as it is."""
    return [
        f"{name} does not say its licence. Look it up, and add it to the table in this script."
        if licence is None
        else f"{name} is under {licence}, which is not on the list of allowed licences."
        for name, licence in licences.items()
        if licence is None or not is_allowed(licence)
    ]


def main() -> int:
    """Prints the list; exit status 1 where something must not be shipped."""
    pins = locked(LOCK.read_text("utf-8"))
    licences = {name: licence_of(name) for name in pins}
    for name, licence in licences.items():
        print(f"{name} {pins[name]}: {licence}")
    wrong = judge(licences)
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
