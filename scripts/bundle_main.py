"""What an MCP bundle starts: turns what a person entered in the host's form into a command line.

It goes with the bundle, beside the manifest that is made from the same rows. The host puts what was
entered into the environment, where no other user can read a secret; a field that was left empty
says nothing. Must not know what the words mean.
"""

import os
import shlex
import sys
from collections.abc import Callable, Mapping
from typing import NamedTuple

PREFIX = "MCP_REMOTE_FIELD_"
"""Of the variables that the host fills in."""

TOKEN_VARIABLE = f"{PREFIX}TOKEN"


def split_words(text: str) -> list[str]:
    """Words as in a shell; a backslash is one, as the paths of Windows want it."""
    words = shlex.shlex(text, posix=True, punctuation_chars=False)
    words.whitespace_split = True
    words.escape = words.commenters = ""
    return list(words)


def authorization(token: str) -> list[str]:
    """The header by the name of the variable: its value is in no list of processes."""
    scheme = "" if " " in token else "Bearer "
    return ["--header", f"Authorization: {scheme}${{{TOKEN_VARIABLE}}}"]


def read_only(text: str) -> list[str]:
    """A box that was ticked."""
    return ["--read-only"] if text == "true" else []


def take_word(text: str) -> list[str]:
    """The word itself."""
    return [text]


class Field(NamedTuple):
    """One field of the form (manifest 0.4, user_config); `words` makes options of its text."""

    name: str
    kind: str
    title: str
    description: str
    words: Callable[[str], list[str]]
    default: str | bool | None = None
    """None: it must be filled in."""
    sensitive: bool = False

    @property
    def variable(self) -> str:
        """The one that carries it."""
        return PREFIX + self.name.upper()


FIELDS = (
    Field(
        "url",
        "string",
        "Address of the server",
        "From the server's documentation, such as https://mcp.example.com/mcp",
        take_word,
    ),
    Field(
        "token",
        "string",
        "Token",
        "Only if the server gave you one (an API key). Leave it empty to sign in in the browser.",
        authorization,
        "",
        sensitive=True,
    ),
    Field(
        "read_only",
        "boolean",
        "Only tools that change nothing",
        "Hides every tool that does not say of itself that it only reads.",
        read_only,
        default=False,
    ),
    Field(
        "options",
        "string",
        "More options",
        "As on the command line, such as --profile work --transport sse-only. Usually empty.",
        split_words,
        "",
    ),
)


def read_fields(environment: Mapping[str, str]) -> list[str]:
    """The command line; a field that is empty, or that the host did not fill in, adds nothing."""
    words: list[str] = []
    for field in FIELDS:
        text = environment.get(field.variable, "").strip()
        if text and not text.startswith("${"):
            words += field.words(text)
    return words


if __name__ == "__main__":
    sys.argv[1:] = read_fields(os.environ)
    from mcp_remote_py.__main__ import run

    run()
