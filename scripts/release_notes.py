"""Prints what CHANGELOG.md says of a version: the notes of its release.

A tag that is not the version of the package, a version that is not dated and one without entries
are errors: nobody makes a release by mistake. Must not import mcp_remote_py.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class NotesError(Exception):
    """There are no notes; the text says what to do."""


def version_of(source: str) -> str:
    """The version in the source text of the package."""
    found = re.search(r'^__version__ = "(.+)"$', source, re.MULTILINE)
    if not found:
        raise NotesError("mcp_remote_py/__init__.py does not name a version.")
    return found[1]


def notes_of(tag: str, version: str, changelog: str) -> str:
    """The entries of the version, as Markdown, for that tag.

    Raises:
        NotesError: the three do not agree.
    """
    if tag != f"v{version}":
        raise NotesError(f"The tag is {tag}, and the package is {version}. Tag it v{version}.")
    sections = re.split(r"^## (.+)$", changelog, flags=re.MULTILINE)
    texts = dict(zip(sections[1::2], sections[2::2], strict=True))
    heading = next((one for one in texts if one.startswith(f"[{version}] - ")), None)
    if heading is None:
        raise NotesError(f"CHANGELOG.md has no heading for {version}.")
    date = heading.partition(" - ")[2]
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", date):
        raise NotesError(
            f'CHANGELOG.md says "{date}" of {version}. Write the day of the release there.'
        )
    # Below the last version may stand definitions of links: they are not entries.
    entries = re.sub(r"(?m)^\[[^]]+\]: .*\n?", "", texts[heading]).strip()
    if "- " not in entries:
        raise NotesError(f"CHANGELOG.md has no entry for {version}.")
    return f"{entries}\n"


def main() -> int:
    """Exit status 0, or 1 after a line that says what to do."""
    if len(sys.argv) != 2:
        print("How to use it: scripts/release-notes vX.Y.Z", file=sys.stderr)
        return 1
    try:
        version = version_of((ROOT / "mcp_remote_py/__init__.py").read_text("utf-8"))
        print(notes_of(sys.argv[1], version, (ROOT / "CHANGELOG.md").read_text("utf-8")), end="")
    except NotesError as error:
        print(f"No notes: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
