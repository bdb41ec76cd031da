"""Keeps what README.md says of the command line what the command line is.

What stands between the markers comes from `mcp_remote_py.cli`. Must not know any option.
"""

import sys
from pathlib import Path

from mcp_remote_py.cli import render_command_sections, render_option_table

README = Path(__file__).resolve().parent.parent / "README.md"
BEGIN = "<!-- options: written by scripts/update_docs -->"
END = "<!-- end of options -->"


def with_options(text: str, options: str) -> str:
    """`text` with `options` between the markers.

    Raises:
        ValueError: a marker is not there exactly once.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in after or END in after:
        raise ValueError(f"{README.name} must hold {BEGIN!r} and {END!r} once each, in this order")
    return f"{before}{BEGIN}\n\n{options.strip()}\n\n{END}{after}"


def main() -> int:
    """Exit status 0, or 1 where --check found a difference."""
    text = README.read_text(encoding="utf-8")
    fresh = with_options(text, f"{render_option_table()}\n{render_command_sections()}")
    if fresh == text:
        return 0
    if "--check" in sys.argv[1:]:
        print("README.md does not show the options as they are: run scripts/update_docs")
        return 1
    README.write_text(fresh, encoding="utf-8", newline="\n")
    print("README.md: options written anew")
    return 0


if __name__ == "__main__":
    sys.exit(main())
