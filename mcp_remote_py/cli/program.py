"""Names of the program and its commands, and how each is written.

Must not know any option, nor what a command does.
"""

from __future__ import annotations

from typing import NamedTuple

PROGRAM = "mcp-remote-py"

PROXY, LOGIN, LOGOUT, STATUS = "proxy", "login", "logout", "status"


class Command(NamedTuple):
    """A command, named by the first argument; `proxy` is meant where none is named."""

    name: str
    words: str
    """The arguments it takes beside options."""
    summary: str
    words_help: str

    @property
    def words_before(self) -> str:
        """The program and the command, as they are typed before all else."""
        return PROGRAM if self.name == PROXY else f"{PROGRAM} {self.name}"

    @property
    def usage(self) -> str:
        """The whole command as it is typed, without options."""
        return f"{self.words_before} {self.words}"


COMMANDS = {
    command.name: command
    for command in (
        Command(
            PROXY,
            "URL [PORT]",
            "Lets an MCP host that only speaks stdio use the MCP server at URL.",
            "Address of the server in full, https://...; ${NAME} is replaced here too. PORT is the"
            " port of the redirect URI of a sign-in (default: one of its own for each server).",
        ),
        Command(
            LOGIN,
            "URL [PORT]",
            "Signs in at the server in the browser, before a host does.",
            "Address of the server in full, https://...; PORT as in the help of mcp-remote-py.",
        ),
        Command(
            LOGOUT,
            "URL|--all",
            "Revokes the tokens of a server and forgets them.",
            "Address of the server as it was signed in at.",
        ),
        Command(
            STATUS,
            "[URL]",
            "Shows who is signed in where and until when, never a token.",
            "Address of a server; without it, every one that is known.",
        ),
    )
}
