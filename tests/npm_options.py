"""The options of npm's mcp-remote, each beside ours, as docs/mcp-remote.md tells and a test holds.

`names_in` reads the names out of the package itself; as a program, it compares them with the rows:
`python -m tests.npm_options FOLDER_OF_THE_PACKAGE`, such as `.benchmark/node_modules/mcp-remote`.
Must not know how our options are read.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mcp_remote_py.settings.commands import ProtocolStrategy, ProxySettings, TransportStrategy

VERSION = "0.15.1"
SAME = "the same"
CLIENT = json.dumps({"client_id": "desk"})
JOB = json.dumps(
    {"client_id": "ci", "client_secret": "npm-row-canary", "issuer": "https://a.example"}
)


@dataclass(frozen=True)
class NpmOption:
    """One option of mcp-remote."""

    name: str
    """With the placeholder of its value; without hyphens for a word that is not an option."""
    meaning: str
    """What it does there."""
    here: str
    """What differs here."""
    example: tuple[str, ...]
    """Words that are accepted there and here."""
    is_read: Callable[[ProxySettings], object]
    """Whether our settings have what was meant."""


def _sign_in(name: str, value: object) -> Callable[[ProxySettings], object]:
    return lambda settings: getattr(settings.sign_in, name) == value


ROWS = (
    NpmOption(
        "PORT",
        "behind the URL: the port the browser comes back to; else one of its own for each server",
        SAME,
        ("3334",),
        _sign_in("port", 3334),
    ),
    NpmOption(
        "--header NAME:VALUE",
        "a header for every request, with `${NAME}`",
        "the same; a variable that is not set, or a word without a colon, is an error that says "
        "so. There the first is sent as it stands, and the second left out",
        ("--header", "Authorization: Bearer ${NPM_ROW}"),
        lambda settings: [one.name for one in settings.headers.given] == ["Authorization"],
    ),
    NpmOption(
        "--header-file FILE",
        "headers from a file, one a line",
        "the same, and read again when the server answers 401",
        ("--header-file", "{folder}/headers"),
        lambda settings: len(settings.headers.files) == 1,
    ),
    NpmOption(
        "--transport STRATEGY",
        "`http-first`, `sse-first`, `http-only`, `sse-only`",
        "the same; what worked is remembered",
        ("--transport", "sse-only"),
        lambda settings: settings.transport is TransportStrategy.SSE_ONLY,
    ),
    NpmOption(
        "--protocol ERA",
        "`legacy` or `auto`; `legacy` without it",
        "`auto` without it, at no extra request; also `modern`",
        ("--protocol", "legacy"),
        lambda settings: settings.protocol is ProtocolStrategy.LEGACY,
    ),
    NpmOption(
        "--allow-http",
        "plain http to other machines",
        SAME,
        ("--allow-http",),
        lambda settings: str(settings.server).startswith("https://"),
    ),
    NpmOption(
        "--connect-timeout SECONDS",
        "for connecting; 10",
        SAME,
        ("--connect-timeout", "7"),
        lambda settings: settings.network.timeouts.connect == 7,
    ),
    NpmOption(
        "--headers-timeout SECONDS",
        "for the headers of an answer; 300",
        SAME,
        ("--headers-timeout", "70"),
        lambda settings: settings.network.timeouts.headers == 70,
    ),
    NpmOption(
        "--body-timeout SECONDS",
        "for a gap inside an answer; 300, also of an event stream",
        "the same; without it, an event stream may be silent for any time",
        ("--body-timeout", "0"),
        lambda settings: not settings.network.timeouts.body,
    ),
    NpmOption(
        "--keep-alive",
        "a ping each 30 seconds",
        SAME,
        ("--keep-alive",),
        lambda settings: settings.ping_interval == 30,
    ),
    NpmOption(
        "--ping-interval SECONDS",
        "a ping each so many seconds",
        SAME,
        ("--ping-interval", "60"),
        lambda settings: settings.ping_interval == 60,
    ),
    NpmOption(
        "--ipv4",
        "IPv4 only",
        "the same; without it, an address that does not answer does not hold the others up",
        ("--ipv4",),
        lambda settings: settings.network.ipv4,
    ),
    NpmOption(
        "--enable-proxy",
        "the proxy of the environment is used",
        "accepted; it is always used",
        ("--enable-proxy",),
        lambda settings: settings.network.proxy_for(settings.server) is None,
    ),
    NpmOption(
        "--disable-cookies",
        "no cookies",
        SAME,
        ("--disable-cookies",),
        lambda settings: not settings.cookies,
    ),
    NpmOption(
        "--ignore-tool PATTERN",
        "hides tools, and refuses calls of them",
        "the same; also `--allow-tool` and `--read-only`",
        ("--ignore-tool", "delete*"),
        lambda settings: settings.tools.ignore == ("delete*",),
    ),
    NpmOption(
        "--resource URI",
        "the resource that the token is for; separates sign-ins",
        "the same; `--profile` separates accounts of one resource",
        ("--resource", "https://tenant.example.com/"),
        _sign_in("resource", "https://tenant.example.com/"),
    ),
    NpmOption(
        "--disable-resource-parameter",
        "no resource in any request",
        SAME,
        ("--disable-resource-parameter",),
        _sign_in("send_resource", False),
    ),
    NpmOption(
        "--authorize-param KEY=VALUE",
        "a further parameter of the sign-in's page; other parameters are another sign-in",
        "the same; the sign-in stays the same one, `--profile` makes another",
        ("--authorize-param", "prompt=consent"),
        _sign_in("authorize_parameters", (("prompt", "consent"),)),
    ),
    NpmOption(
        "--host HOST",
        "host of the redirect URI; `localhost`, and `127.0.0.1` on Windows",
        "the same; without it, `localhost` everywhere, and `127.0.0.1` is registered beside it",
        ("--host", "127.0.0.1"),
        _sign_in("host", "127.0.0.1"),
    ),
    NpmOption(
        "--callback-path PATH",
        "path of the redirect URI; `/oauth/callback`",
        SAME,
        ("--callback-path", "/custom/callback"),
        _sign_in("callback_path", "/custom/callback"),
    ),
    NpmOption(
        "--auth-success-url URL",
        "a page of your own after the sign-in",
        SAME,
        ("--auth-success-url", "https://app.example.com/connected"),
        _sign_in("success_url", "https://app.example.com/connected"),
    ),
    NpmOption(
        "--auth-timeout SECONDS",
        "for the person at the browser; 30",
        "the same; 300 without it, and the host is answered meanwhile",
        ("--auth-timeout", "60"),
        _sign_in("timeout", 60),
    ),
    NpmOption(
        "--static-oauth-client-metadata JSON",
        "members of the registration, or `@FILE`",
        SAME,
        ("--static-oauth-client-metadata", '{"scope": "read"}'),
        lambda settings: settings.sign_in.static_client_metadata,
    ),
    NpmOption(
        "--static-oauth-client-info JSON",
        "a client that you have registered, or `@FILE`",
        "the same; with a `client_secret` give its `issuer`, too: the error says so, and names it",
        ("--static-oauth-client-info", CLIENT),
        lambda settings: settings.sign_in.static_client,
    ),
    NpmOption(
        "--client-metadata-url URL",
        "a document that describes the client",
        SAME,
        ("--client-metadata-url", "https://client.example.com/client.json"),
        _sign_in("client_metadata_url", "https://client.example.com/client.json"),
    ),
    NpmOption(
        "--client-credentials",
        "signs in as a client, without a person",
        "the same; also by a key (`--private-key`)",
        ("--client-credentials", "--static-oauth-client-info", JOB),
        lambda settings: settings.sign_in.unattended,
    ),
    NpmOption(
        "--token-endpoint URL",
        "the token endpoint of `--client-credentials`, without discovery",
        "the same; also beside `--authorization-endpoint`, for a person",
        (
            *("--client-credentials", "--static-oauth-client-info", JOB),
            *("--token-endpoint", "https://auth.example.com/token"),
        ),
        _sign_in("token_endpoint", "https://auth.example.com/token"),
    ),
    NpmOption(
        "--device-code",
        "a short code on any other device",
        SAME,
        ("--device-code",),
        _sign_in("device_code", True),
    ),
    NpmOption(
        "--use-id-token",
        "sends the ID token",
        SAME,
        ("--use-id-token",),
        _sign_in("use_id_token", True),
    ),
    NpmOption(
        "--debug",
        "logs in detail, into a file in `~/.mcp-auth`",
        "logs in detail on stderr; `--log-file FILE` writes a file",
        ("--debug",),
        lambda settings: settings.log.level == "DEBUG",
    ),
    NpmOption(
        "--silent",
        "logs nothing, unless `--debug` is given",
        SAME,
        ("--silent",),
        lambda settings: settings.log.level == "",
    ),
    NpmOption(
        "--version",
        "prints the version",
        SAME,
        ("--version",),
        lambda _: False,
    ),
    NpmOption(
        "--help",
        "prints one line of usage, as `-h` does",
        "prints all options, as `-h` does",
        ("--help",),
        lambda _: False,
    ),
)


def names_in(package: Path) -> set[str]:
    """The options that the package looks for, by the words in its program."""
    programs = "".join(path.read_text(encoding="utf-8") for path in package.glob("dist/*.js"))
    return set(re.findall(r'"(--[a-z][a-z0-9-]*)"', programs))


def render() -> str:
    """The table."""
    lines = [f"| mcp-remote {VERSION} | What it does there | Here |", "| --- | --- | --- |"]
    lines += [f"| `{row.name}` | {row.meaning} | {row.here} |" for row in ROWS]
    return "\n".join(lines)


def main() -> int:
    """Exit status 0 where the rows are the package's, 1 and the difference else."""
    differing = names_in(Path(sys.argv[1])) ^ {
        row.name.partition(" ")[0] for row in ROWS if row.name.startswith("--")
    }
    sys.stdout.write(f"{', '.join(sorted(differing)) or 'the same'}\n")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
