"""The options: one row each, which carries its help, who takes it, and how its word is read.

The parser, its reader, the help and docs/options.md are made from the rows; nothing is written
twice. One file: it is a table, and whoever looks for an option looks here. Must not know what
becomes of a value.
"""

from __future__ import annotations

from collections.abc import Callable

from mcp_remote_py.cli import readers
from mcp_remote_py.cli.program import (
    CHECK,
    COMMANDS,
    INSTALL,
    LOGIN,
    LOGOUT,
    PROXY,
    STATUS,
    UNINSTALL,
)
from mcp_remote_py.cli.readers import Read, read_named_file, sign_in_words
from mcp_remote_py.settings.commands import (
    DEFAULT_INITIALIZE_TIMEOUT,
    DEFAULT_MAX_MESSAGE_SIZE,
    DEFAULT_PING_INTERVAL,
    ProtocolStrategy,
    TransportStrategy,
)
from mcp_remote_py.settings.network import (
    CONSENT_TIMEOUT,
    DEFAULT_BODY_TIMEOUT,
    DEFAULT_CONNECT_TIMEOUT,
    DEFAULT_HEADERS_TIMEOUT,
    FETCH_TIMEOUT,
    LONGEST_SIGN_IN_PART,
    POST_TIMEOUT,
    TOKEN_TIMEOUT,
)
from mcp_remote_py.settings.sign_in import SIGNING_ALGORITHMS, TOKEN_STORES, SignInSettings
from mcp_remote_py.settings.words import take_off_quotes, take_off_wrapping
from mcp_remote_py.versions import MODERN, NEWEST_HANDSHAKE

REFUSED, IGNORED, NOT_GIVEN_IF_BLANK = "refused", "ignored", "not given if blank"
"""What a bad word does."""


class Option:
    """One option.

    `value` is the placeholder for its value, empty for a switch; `commands` are those that it does
    something in, see also `is_idle_in`; `read` makes the value of the word that is given. `bad` is
    what a word does that cannot be read, or that is missing: it is REFUSED, or IGNORED with a
    warning, as by npm's mcp-remote, where the default is safe. Never is what protects, and what has
    secrets, headers or files; but a blank word of NOT_GIVEN_IF_BLANK says nothing, as where a
    host has put in a value that nobody entered.
    """

    __slots__ = ("bad", "commands", "group", "help", "name", "read", "repeatable", "value")

    def __init__(
        self,
        name: str,
        value: str,
        help: str,
        group: str,
        commands: tuple[str, ...],
        *,
        repeatable: bool = False,
        read: Read = readers.keep_word,
        bad: str = REFUSED,
    ) -> None:
        self.name = name
        self.value = value
        self.help = help
        self.group = group
        self.commands = commands
        self.repeatable = repeatable
        self.read = read
        self.bad = bad

    def is_idle_in(self, command: str) -> bool:
        """Whether that command accepts it and has no use for it.

        It is the relay's then: the arguments of a host's entry can be given to every command.
        """
        takes_all = COMMANDS[command].is_of_entry
        return PROXY in self.commands and command not in self.commands and not takes_all

    @property
    def take_off(self) -> Callable[[str], str]:
        """What takes off what is around a word, before it is read.

        A header and a command have quotes of theirs; a file's name may begin with a blank.
        """
        if self.value in ("HEADER", "COMMAND"):
            return str
        return take_off_quotes if self.value == "FILE" else take_off_wrapping


HEADERS, CONNECTION, SIGN_IN, TOOLS = "Headers", "Connection", "Sign-in", "Tools"
AWS, LOGS, OTHER = "AWS", "Logs", "Other"
ENTRY = "Entry of a host"
"""Groups."""

_RELAY = (PROXY,)
_SERVER = (PROXY, LOGIN)
_NETWORK = (PROXY, LOGIN, LOGOUT)
_EVERY = (PROXY, LOGIN, LOGOUT, STATUS)
_ALL = (*_EVERY, INSTALL, UNINSTALL, CHECK)
_CONFIGURATION = (INSTALL, UNINSTALL)
_ENTRY = (INSTALL, UNINSTALL, CHECK)

_TRANSPORTS = tuple(strategy.value for strategy in TransportStrategy)
_TRANSPORT = readers.choose_from(*_TRANSPORTS)
_PROTOCOL = readers.choose_from(*(strategy.value for strategy in ProtocolStrategy))
_DEFAULTS = SignInSettings()

ALL_OPTIONS = (
    Option(
        "--header",
        "HEADER",
        'Header for every request, as "Name: value" or "Name:value"; ${NAME} is replaced by that'
        " environment variable.",
        HEADERS,
        _SERVER,
        repeatable=True,
        read=readers.read_header,
        bad=NOT_GIVEN_IF_BLANK,
    ),
    Option(
        "--header-file",
        "FILE",
        "File with one header a line, # for comments; keeps a token out of the process list.",
        HEADERS,
        _SERVER,
        repeatable=True,
        read=readers.take_header_file,
    ),
    Option(
        "--header-command",
        "COMMAND",
        "Command, run without a shell, that prints one header a line; run again when the server"
        " answers 401.",
        HEADERS,
        _SERVER,
        repeatable=True,
        read=readers.read_command("Give a command that prints lines of the form Name: value."),
    ),
    Option(
        "--transport",
        "STRATEGY",
        "Order in which transports are tried: "
        f"{', '.join(_TRANSPORTS)} "
        f"(default {TransportStrategy.HTTP_FIRST.value}).",
        CONNECTION,
        _RELAY,
        read=lambda text, at: TransportStrategy(_TRANSPORT(text, at)),
        bad=IGNORED,
    ),
    Option(
        "--protocol",
        "ERA",
        "Era of MCP that the server speaks: auto finds out and remembers, legacy is up to"
        f" {NEWEST_HANDSHAKE} (initialize), modern is {MODERN} (default auto). The host may be of"
        " either.",
        CONNECTION,
        _RELAY,
        read=lambda text, at: ProtocolStrategy(_PROTOCOL(text, at)),
        bad=IGNORED,
    ),
    Option(
        "--allow-http",
        "",
        "Allow plain http to other machines; http to this one is always allowed.",
        CONNECTION,
        _SERVER,
    ),
    Option(
        "--connect-timeout",
        "SECONDS",
        f"Longest time for connecting (default {DEFAULT_CONNECT_TIMEOUT:g}; 0 means no limit).",
        CONNECTION,
        _NETWORK,
        read=readers.read_limit,
        bad=IGNORED,
    ),
    Option(
        "--headers-timeout",
        "SECONDS",
        "Longest wait for the headers of an answer"
        f" (default {DEFAULT_HEADERS_TIMEOUT:g}; 0 means no limit). A request of a sign-in has"
        f" {FETCH_TIMEOUT:g} to {POST_TIMEOUT:g} seconds in all, one for tokens {TOKEN_TIMEOUT:g},"
        f" the one that redeems your consent {CONSENT_TIMEOUT:g}, unless you give one of these"
        " three"
        f" time-outs; each then counts there, too, up to {LONGEST_SIGN_IN_PART:g} seconds.",
        CONNECTION,
        _NETWORK,
        read=readers.read_limit,
        bad=IGNORED,
    ),
    Option(
        "--body-timeout",
        "SECONDS",
        f"Longest gap inside an answer (default {DEFAULT_BODY_TIMEOUT:g}, for event streams no"
        " limit; 0 means no limit).",
        CONNECTION,
        _NETWORK,
        read=readers.read_limit,
        bad=IGNORED,
    ),
    Option(
        "--keep-alive",
        "",
        f"Send a ping every {DEFAULT_PING_INTERVAL:g} seconds, so that nothing between here and"
        " the server drops a quiet session.",
        CONNECTION,
        _RELAY,
    ),
    Option(
        "--ping-interval",
        "SECONDS",
        "Seconds between keep-alive pings; turns them on.",
        CONNECTION,
        _RELAY,
        read=readers.read_positive_seconds("Leave it out if you do not want pings."),
        bad=IGNORED,
    ),
    Option(
        "--forward-ping",
        "",
        "Forward every ping of the host; otherwise a ping is answered here if the server was heard"
        " from recently.",
        CONNECTION,
        _RELAY,
    ),
    Option("--ipv4", "", "Connect over IPv4 only.", CONNECTION, _NETWORK),
    Option("--disable-cookies", "", "Neither keep nor send cookies.", CONNECTION, _RELAY),
    Option(
        "--enable-proxy",
        "",
        "Accepted because mcp-remote has it: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY are"
        " always used.",
        CONNECTION,
        _NETWORK,
    ),
    Option(
        "--ca-cert",
        "FILE",
        "PEM file with certificate authorities to trust beside the system's (also SSL_CERT_FILE "
        "and NODE_EXTRA_CA_CERTS).",
        CONNECTION,
        _NETWORK,
        repeatable=True,
        read=readers.read_path,
    ),
    Option(
        "--client-cert",
        "FILE",
        "PEM file with a client certificate, shown to the MCP server's own origin alone.",
        CONNECTION,
        _NETWORK,
        read=readers.read_path,
    ),
    Option(
        "--client-key",
        "FILE",
        "PEM file with the private key of --client-cert, if it is in a file of its own.",
        CONNECTION,
        _NETWORK,
        read=readers.read_path,
    ),
    Option(
        "--max-message-size",
        "SIZE",
        "Largest message in either direction, such as 50MB or 1GiB (default"
        f" {DEFAULT_MAX_MESSAGE_SIZE // 1024**2}MiB).",
        CONNECTION,
        _RELAY,
        read=readers.read_size,
    ),
    Option(
        "--profile",
        "NAME",
        "Name of the account, where there are several at one server.",
        SIGN_IN,
        _EVERY,
        read=lambda text, _: sign_in_words().parse_profile(text),
    ),
    Option(
        "--scope",
        "SCOPES",
        "Scopes to ask for, separated by blanks, instead of those the server names.",
        SIGN_IN,
        _SERVER,
        read=lambda text, _: sign_in_words().parse_scope(text),
    ),
    Option(
        "--resource",
        "URI",
        "Resource that the token is for (RFC 8707), instead of the published one; separates the"
        " sign-ins of several tenants.",
        SIGN_IN,
        _EVERY,
        read=lambda text, _: sign_in_words().parse_resource(text),
    ),
    Option(
        "--disable-resource-parameter",
        "",
        "Leave the resource out of every request, for servers that refuse it.",
        SIGN_IN,
        _SERVER,
    ),
    Option(
        "--authorize-param",
        "KEY=VALUE",
        "Further parameter of the authorization request, such as prompt=consent.",
        SIGN_IN,
        _SERVER,
        repeatable=True,
        read=lambda text, _: sign_in_words().parse_authorize_parameter(text),
    ),
    Option(
        "--static-oauth-client-info",
        "JSON",
        "Client that is registered already: a JSON object with client_id, or @FILE with one;"
        ' ${NAME} is replaced in its values. With a client_secret, "issuer" names who may have it.',
        SIGN_IN,
        _SERVER,
        read=lambda text, at: sign_in_words().parse_client(text, at.environment, read_named_file),
    ),
    Option(
        "--static-oauth-client-metadata",
        "JSON",
        "Members for the registration of a client, given in the same way.",
        SIGN_IN,
        _SERVER,
        read=lambda text, at: sign_in_words().parse_client_metadata(
            text, at.environment, read_named_file
        ),
    ),
    Option(
        "--client-metadata-url",
        "URL",
        "Client ID metadata document, used where the server takes one.",
        SIGN_IN,
        _SERVER,
        read=lambda text, _: sign_in_words().parse_client_metadata_url(text),
        bad=IGNORED,
    ),
    Option(
        "--trusted-issuer",
        "URL",
        "Issuer that may have your secret, key or JWT; also accepted where metadata name another.",
        SIGN_IN,
        _SERVER,
        repeatable=True,
        read=lambda text, _: sign_in_words().parse_trusted_issuer(text),
    ),
    Option(
        "--use-id-token",
        "",
        "Send the ID token instead of the access token.",
        SIGN_IN,
        _SERVER,
    ),
    Option(
        "--host",
        "HOST",
        "Host of the redirect URI: localhost (the default), 127.0.0.1 or [::1]. Where it is given, "
        "another one is not registered.",
        SIGN_IN,
        _SERVER,
        read=lambda text, _: sign_in_words().parse_callback_host(text),
        bad=NOT_GIVEN_IF_BLANK,
    ),
    Option(
        "--callback-path",
        "PATH",
        f"Path of the redirect URI (default {_DEFAULTS.callback_path}).",
        SIGN_IN,
        _SERVER,
        read=lambda text, _: sign_in_words().parse_callback_path(text),
        bad=IGNORED,
    ),
    Option(
        "--auth-success-url",
        "URL",
        "Page the browser goes to after the sign-in, instead of a page of ours.",
        SIGN_IN,
        _SERVER,
        read=lambda text, at: sign_in_words().parse_success_url(text, at.allow_http),
    ),
    Option(
        "--auth-timeout",
        "SECONDS",
        f"Longest time for the browser part (default {_DEFAULTS.timeout:g}).",
        SIGN_IN,
        _SERVER,
        read=readers.read_positive_seconds(f"Leave it out for {_DEFAULTS.timeout:g}."),
        bad=IGNORED,
    ),
    Option(
        "--initialize-timeout",
        "SECONDS",
        "Longest time that the host's first request waits for a sign-in, or for a server that"
        f" worked before and is silent (default {DEFAULT_INITIALIZE_TIMEOUT:g}, less for a host"
        " known to give up sooner; 0 means no limit)."
        " Then it is answered in the server's place, and the sign-in goes on.",
        SIGN_IN,
        _RELAY,
        read=readers.read_limit,
    ),
    Option(
        "--browser",
        "COMMAND",
        "Command, run without a shell, that opens the URL it gets as its last argument.",
        SIGN_IN,
        _SERVER,
        read=readers.read_command("Give a command that opens a URL, or --no-browser."),
    ),
    Option("--no-browser", "", "Open nothing; the URL is printed.", SIGN_IN, _SERVER),
    Option(
        "--paste",
        "",
        "Open nothing; finish by pasting the address that a browser elsewhere ends at.",
        SIGN_IN,
        (LOGIN,),
    ),
    Option(
        "--device-code",
        "",
        "Sign in with a short code on any other device, without a browser here.",
        SIGN_IN,
        _SERVER,
    ),
    Option(
        "--client-credentials",
        "",
        "Sign in without a person, as the client of --static-oauth-client-info; the account is"
        " apart, as --profile client-credentials.",
        SIGN_IN,
        _EVERY,
    ),
    Option(
        "--private-key",
        "FILE",
        "The client's private key (PEM or JWK): it proves itself by it instead of a secret.",
        SIGN_IN,
        _SERVER,
        read=lambda text, at: sign_in_words().parse_private_key(
            text, at.environment, read_named_file
        ),
    ),
    Option(
        "--signing-alg",
        "ALGORITHM",
        "Algorithm that --private-key signs with: "
        f"{', '.join(SIGNING_ALGORITHMS)} (default ES256).",
        SIGN_IN,
        _SERVER,
        read=readers.choose_from(*SIGNING_ALGORITHMS),
    ),
    Option(
        "--jwt-bearer",
        "FILE",
        "Sign in without a person, by the workload's JWT in this file. The file is read at each"
        " use; the JWT is sent to its audience (aud), or to an issuer or endpoint that you name."
        " The account is apart, as --profile jwt-bearer.",
        SIGN_IN,
        _EVERY,
        read=readers.read_path,
    ),
    Option(
        "--idp-token-endpoint",
        "URL",
        "Sign in by a company's identity provider: it exchanges --idp-id-token for a grant. The"
        " account is apart, as --profile enterprise.",
        SIGN_IN,
        _EVERY,
        read=lambda text, at: sign_in_words().parse_token_url(text, at.option),
    ),
    Option(
        "--idp-client-id",
        "ID",
        "The client at that identity provider.",
        SIGN_IN,
        _SERVER,
    ),
    Option(
        "--idp-id-token",
        "FILE",
        "The ID token of that identity provider, in a file that is read at each use.",
        SIGN_IN,
        _SERVER,
        read=readers.read_path,
    ),
    Option(
        "--token-endpoint",
        "URL",
        "Token endpoint for a sign-in without a person, or beside --authorization-endpoint, instead"
        " of discovering one; nothing is sent to any other.",
        SIGN_IN,
        _SERVER,
        read=lambda text, at: sign_in_words().parse_token_url(text, at.option),
    ),
    Option(
        "--authorization-endpoint",
        "URL",
        "Page where a person signs in, for a server that does not publish any metadata; with"
        " --token-endpoint and a client that is registered already.",
        SIGN_IN,
        _SERVER,
        read=lambda text, at: sign_in_words().parse_authorization_url(text, at.option),
    ),
    Option(
        "--allow-private-network",
        "",
        "Let the server's sign-in lead to private networks and to this machine, even if the server"
        " itself is not there. Link-local addresses stay refused.",
        SIGN_IN,
        _NETWORK,
    ),
    Option(
        "--token-store",
        "STORE",
        "Where tokens are kept: keyring (the default), file, or memory until the end.",
        SIGN_IN,
        _NETWORK,
        read=readers.choose_from(*TOKEN_STORES),
    ),
    Option(
        "--all",
        "",
        "Sign out of every server; with --profile, of that account at each.",
        SIGN_IN,
        (LOGOUT,),
    ),
    Option(
        "--aws-sigv4",
        "",
        "Sign every request with AWS keys (SigV4), for a server behind AWS IAM; nobody signs in"
        " then. The keys are those in the environment, else those that the AWS CLI uses (a profile,"
        " aws sso login, a role), for which the extra mcp-remote-py[aws] is needed.",
        AWS,
        _EVERY,
    ),
    Option(
        "--aws-service",
        "NAME",
        "Signing name of the service, such as lambda or execute-api, where the URL does not tell.",
        AWS,
        _RELAY,
        read=readers.read_aws_service,
    ),
    Option(
        "--aws-region",
        "REGION",
        "Region to sign for, where the URL does not tell, nor AWS_REGION, AWS_DEFAULT_REGION or the"
        " profile.",
        AWS,
        _RELAY,
        read=readers.read_aws_region,
    ),
    Option(
        "--aws-profile",
        "NAME",
        "Profile of the AWS CLI whose keys sign; keys in the environment do not count then.",
        AWS,
        _EVERY,
        read=readers.read_aws_profile,
    ),
    Option(
        "--allow-tool",
        "PATTERN",
        "Show only tools of exactly that name to the host; * stands for any characters.",
        TOOLS,
        _RELAY,
        repeatable=True,
        read=readers.read_pattern,
    ),
    Option(
        "--ignore-tool",
        "PATTERN",
        "Hide tools of that name, in capitals or not, from the host and refuse calls of them;"
        " * stands for any characters.",
        TOOLS,
        _RELAY,
        repeatable=True,
        read=readers.read_pattern,
    ),
    Option("--read-only", "", "Show only tools the server marks as read-only.", TOOLS, _RELAY),
    Option(
        "--merge-pages",
        "",
        "Give the host all pages of a list (tools, prompts, resources) as one: for a host that"
        " shows the first page only.",
        TOOLS,
        _RELAY,
    ),
    Option(
        "--metadata",
        "NAME=VALUE",
        "Member of _meta for every request that has params and not this member, such as AWS_REGION"
        " for the AWS MCP server.",
        TOOLS,
        _RELAY,
        repeatable=True,
        read=readers.read_metadata,
    ),
    Option("--debug", "", "Log in detail; never the value of a header.", LOGS, _EVERY),
    Option("--silent", "", "Log nothing on stderr, unless --debug is given.", LOGS, _EVERY),
    Option(
        "--log-file",
        "FILE",
        "Log into that file too, with times; only you can read it.",
        LOGS,
        _EVERY,
        read=readers.read_path,
    ),
    Option(
        "--client",
        "HOST",
        "Host whose configuration is meant, such as claude-desktop; all stands for each that is"
        " found.",
        ENTRY,
        _ENTRY,
        read=readers.read_host,
        repeatable=True,
    ),
    Option(
        "--config",
        "FILE",
        "File that is meant instead of the host's own, such as .vscode/mcp.json of a project.",
        ENTRY,
        _ENTRY,
        read=readers.read_path,
    ),
    Option("--print", "", "Print the entry, and write nothing.", ENTRY, (INSTALL,)),
    Option("--dry-run", "", "Show what would change, and write nothing.", ENTRY, _CONFIGURATION),
    Option(
        "--yes",
        "",
        "Do not ask before an entry is changed, or one that a project brings is used (also -y).",
        ENTRY,
        _ENTRY,
    ),
    Option(
        "--secrets",
        "WHERE",
        "Where secrets are put: env of the entry (the default), file, which only you can read, or"
        " ask, where the host asks you and keeps them encrypted (VS Code).",
        ENTRY,
        (INSTALL,),
        read=readers.choose_from("env", "file", "ask"),
    ),
    Option(
        "--login",
        "",
        "Sign in in the browser where that is needed, without asking first.",
        SIGN_IN,
        (INSTALL, CHECK),
    ),
    Option(
        "--report",
        "FILE",
        "Write all that was seen into that file, without secrets: for a bug report.",
        OTHER,
        (CHECK,),
        read=readers.read_path,
    ),
    Option("--json", "", "Print JSON, for programs.", OTHER, (STATUS, CHECK)),
    Option("--version", "", "Print the version and end (also -V).", OTHER, _ALL),
    Option("--help", "", "Print a short help and end (also -h).", OTHER, _ALL),
    Option("--help-all", "", "Print the help with all options and end.", OTHER, _ALL),
)


OPTIONS = {option.name: option for option in ALL_OPTIONS}


def options_of(command: str) -> tuple[Option, ...]:
    """The options that `command` takes; of an entry, only those of its own."""
    return tuple(option for option in ALL_OPTIONS if command in option.commands)


def accepted_by(command: str) -> tuple[Option, ...]:
    """The same, and all of an entry, which may not matter for it."""
    return tuple(one for one in ALL_OPTIONS if command in one.commands or PROXY in one.commands)
