"""Names of the program and its commands, and how each is written.

Must not know any option, nor what a command does.
"""

from __future__ import annotations

from mcp_remote_py.values import Value

PROGRAM = "mcp-remote-py"

PROXY, LOGIN, LOGOUT, STATUS = "proxy", "login", "logout", "status"
INSTALL, UNINSTALL, CHECK = "install", "uninstall", "check"


class Command(Value, frozen=True):
    """A command, named by the first argument; `proxy` is meant where none is named."""

    name: str
    words: str
    """The arguments it takes beside options."""
    summary: str
    words_help: str
    takes_port: bool = False
    """Whether a port may stand behind the URL."""
    takes_name: bool = False
    """Whether it takes the name of an entry: before the URL where that is needed, else alone."""
    needs_url: bool = True
    """Whether it cannot do without a URL."""
    is_of_entry: bool = False
    """Whether it is about an entry of a host, so that each option of the relay counts here, too."""

    @property
    def words_before(self) -> str:
        """The program and the command, as they are typed before all else."""
        return PROGRAM if self.name == PROXY else f"{PROGRAM} {self.name}"

    def example_for(self, name: str = "math") -> str:
        """Words that it could be given, with the name of an entry where it takes one."""
        from shlex import quote  # where something is wrong

        if not self.takes_name:
            return "https://example.com/mcp"
        if self.needs_url:
            return f"{quote(name)} https://example.com/mcp"
        return "https://example.com/mcp" if self.takes_port else quote(name)

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
            takes_port=True,
        ),
        Command(
            LOGIN,
            "URL [PORT]",
            "Signs in at the server in the browser, before a host does.",
            "Address of the server in full, https://...; PORT as in the help of mcp-remote-py.",
            takes_port=True,
            is_of_entry=True,
        ),
        Command(
            LOGOUT,
            "URL|--all",
            "Revokes the tokens of a server and forgets them.",
            "Address of the server as it was signed in at.",
            needs_url=False,
        ),
        Command(
            STATUS,
            "[URL]",
            "Shows who is signed in where and until when, never a token.",
            "Address of a server; without it, every one that is known.",
            needs_url=False,
        ),
        Command(
            INSTALL,
            "NAME URL [PORT]",
            "Writes the entry for a server into a host's configuration.",
            "A name of your choice, then the address of the server in full, https://...; the"
            " options of mcp-remote-py that follow become a part of the entry.",
            takes_port=True,
            takes_name=True,
            is_of_entry=True,
        ),
        Command(
            UNINSTALL,
            "NAME",
            "Takes an entry out of a host's configuration.",
            "Name of the entry.",
            takes_name=True,
            needs_url=False,
        ),
        Command(
            CHECK,
            "URL|NAME [PORT]",
            "Checks a server step by step, and says what is wrong.",
            "Address of the server in full, https://..., with the options of its entry; or the"
            " name of an entry in the configuration of a host.",
            takes_port=True,
            takes_name=True,
            needs_url=False,
            is_of_entry=True,
        ),
    )
}

HELP, COMPLETION = "help", "completion"

SHORT_FORMS = {"-h": "--help", "-V": "--version", "-y": "--yes"}
"""Options of one letter."""

SHELLS = ("bash", "zsh", "fish", "powershell")


class ProgramQuestion(Value, frozen=True):
    """A command about the program alone: what it prints is made of the rows, without settings."""

    name: str
    words: str
    summary: str

    @property
    def usage(self) -> str:
        """The whole command as it is typed."""
        return f"{PROGRAM} {self.name} {self.words}"


QUESTIONS = {
    question.name: question
    for question in (
        ProgramQuestion(
            COMPLETION,
            "SHELL",
            "Prints what makes a shell complete its words.",
        ),
        ProgramQuestion(HELP, "[COMMAND]", "Prints the help of a command."),
    )
}
