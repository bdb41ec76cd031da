"""Which option has which effect, seen from outside, in each command that takes it.

A row says in which scene, with which words, and what is then seen that is not seen without them.
`trials` plays them; one that is missing for an option of a command makes `test_table` fail. As long
as there are options: it is one table, read row by row.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from mcp_remote_py.cli.program import CHECK, INSTALL, LOGIN, LOGOUT, PROXY, STATUS, UNINSTALL
from tests.options import scenes
from tests.options.desk import Seen
from tests.options.scenes import Scene

See = Callable[[Seen], bool]


@dataclass(frozen=True)
class Row:
    """The effect of an option in some commands."""

    option: str
    commands: tuple[str, ...]
    scene: Scene
    words: tuple[str, ...]
    """With these, of which the option is one ..."""
    see: See
    """... this is seen, and without them it is not."""
    beside: tuple[str, ...] = ()
    """What is given in both cases."""


class Elsewhere(NamedTuple):
    """Shown by a test that has more to say of it; it names the option."""

    option: str
    commands: tuple[str, ...]
    test: str
    """File and function."""


class Inert(NamedTuple):
    """Accepted so that a host's entry can stay as it is; the help says so, in these words."""

    option: str
    commands: tuple[str, ...]
    said: str


SERVER, NETWORK = (PROXY, LOGIN), (PROXY, LOGIN, LOGOUT)
EVERY = (*NETWORK, STATUS)
ENTRY = (INSTALL, UNINSTALL, CHECK)

FILE = ("--token-store", "file")
SOON = ("--auth-timeout", "1")
"""For a sign-in that nobody finishes, so that it comes to its end."""
TALK = (
    *("--header", "X-Own: own", "--header-file", "{folder}/headers"),
    *("--header-command", "echo X-Command:by-command"),
)
RELAY = (
    *("--disable-cookies", "--forward-ping", "--read-only"),
    *("--allow-tool", "keep*", "--ignore-tool", "keep-hidden"),
)
SIGN_IN = (
    *("--profile", "work", "--scope", "desk extra", "--authorize-param", "audience=own"),
    *("--static-oauth-client-metadata", '{"client_name": "Own"}', "--host", "127.0.0.1"),
    *("--callback-path", "/cb", "--auth-success-url", "{origin}/done", "--browser", "{other}"),
)
CLIENT = ("--static-oauth-client-info", "@{folder}/client.json")
AGENT = ("--client-credentials", *CLIENT)
KEY = ("--private-key", "{folder}/key.pem", "--signing-alg", "PS256")
IDP = (
    *("--idp-token-endpoint", "{origin}/idp/token", "--idp-client-id", "at-idp"),
    *("--idp-id-token", "{folder}/jwt"),
)
LATE = "took too long"
CERTIFICATE = ("--client-cert", "{folder}/client.pem", "--client-key", "{folder}/client.key")
TRUST = ("--ca-cert", "{folder}/authority.pem")


def said(*phrases: str) -> See:
    """All of it is said, wherever."""
    return lambda seen: all(phrase in seen.text for phrase in phrases)


def sends(header: str, value: str) -> See:
    """Every message has that header."""
    return lambda seen: set(seen.headers(header)) == {value}


def asks(name: str, value: str) -> See:
    """The authorization request has this parameter."""
    return lambda seen: seen.authorization().get(name) == value


def redirects_to(text: str) -> See:
    """The redirect URI has this in it."""
    return lambda seen: text in seen.authorization().get("redirect_uri", "")


def connects(seen: Seen) -> bool:
    """Somebody connected to whom only IPv6 leads."""
    return bool(seen.listeners[0].connections)


def not_to_ipv6(seen: Seen) -> bool:
    """Nobody did, and that was the end of it."""
    return not connects(seen) and "cannot be" in seen.text


def form(path: str, **members: str) -> See:
    """A form with these members was sent there."""
    return lambda seen: any(members.items() <= one.items() for one in seen.bodies(path))


def assertion_by(seen: Seen) -> str:
    """What the client's assertion is signed with."""
    for one in seen.bodies("/token"):
        if "client_assertion" in one:
            head = one["client_assertion"].partition(".")[0]
            return str(json.loads(base64.urlsafe_b64decode(head + "=="))["alg"])
    return ""


def waits_no_longer(seen: Seen) -> bool:
    """It says that it was too long."""
    return LATE in seen.text


def accounts(*expected: tuple[str, str]) -> See:
    """These are left: resource and profile."""
    return lambda seen: (
        sorted((one.get("resource", ""), one.get("profile", "")) for one in seen.records())
        == sorted(expected)
    )


def pings(seen: Seen) -> bool:
    """The server was sent one."""
    return "POST ping" in seen.methods()


def is_certified(seen: Seen) -> bool:
    """The client's certificate was shown, and taken."""
    return any(getattr(seen.server, "shown", ()))


TENANT = "https://tenant.example/"

ACCOUNT_OF_AN_ENTRY = (
    "tests/cli/test_main.py::test_an_entry_without_a_person_means_the_account_that_it_signs_in"
)

OF_CHECK = "tests/commands/test_check.py::test_"
OF_INSTALL = "tests/installing/test_install.py::test"
OF_UNINSTALL = "tests/installing/test_uninstall.py::test"
OF_AWS = "tests/signing/test_command.py::test"

ROWS: tuple[Row | Elsewhere | Inert, ...] = (
    # Headers
    Row("--header", SERVER, scenes.open_server, TALK, sends("x-own", "own")),
    Row("--header-file", SERVER, scenes.open_server, TALK, sends("x-file", "from-file")),
    Row("--header-command", SERVER, scenes.open_server, TALK, sends("x-command", "by-command")),
    # Connection
    Row(
        "--transport",
        (PROXY,),
        scenes.first_words,
        ("--transport", "sse-first"),
        lambda seen: seen.methods()[0].startswith("GET"),
    ),
    Row(
        "--protocol",
        (PROXY,),
        scenes.first_words,
        ("--protocol", "modern"),
        lambda seen: "POST server/discover" in seen.methods(),
    ),
    Row(
        "--allow-http",
        SERVER,
        scenes.plain_server,
        ("--allow-http",),
        lambda seen: bool(seen.methods()),
    ),
    Row(
        "--connect-timeout",
        SERVER,
        scenes.silent_before_tls,
        ("--connect-timeout", "0.2"),
        waits_no_longer,
    ),
    Row("--headers-timeout", SERVER, scenes.silent, ("--headers-timeout", "0.2"), waits_no_longer),
    Row("--body-timeout", (PROXY,), scenes.silent_amid, ("--body-timeout", "0.2"), waits_no_longer),
    Elsewhere(
        "--keep-alive",
        (PROXY,),
        "tests/options/test_table.py::test_keep_alive_sends_pings_by_itself",
    ),
    Row("--ping-interval", (PROXY,), scenes.quiet, ("--ping-interval", "0.1"), pings),
    Row("--forward-ping", (PROXY,), scenes.open_server, RELAY, pings),
    Row("--ipv4", SERVER, scenes.on_ipv6, ("--ipv4",), not_to_ipv6),
    Row(
        "--disable-cookies",
        (PROXY,),
        scenes.open_server,
        RELAY,
        lambda seen: set(seen.headers("cookie")) == {""},
    ),
    Inert("--enable-proxy", NETWORK, "Accepted because mcp-remote has it"),
    Row("--ca-cert", SERVER, scenes.tls, TRUST, lambda seen: bool(seen.methods())),
    Row("--client-cert", SERVER, scenes.tls, CERTIFICATE, is_certified, TRUST),
    Row("--client-key", SERVER, scenes.tls, CERTIFICATE, is_certified, TRUST),
    Row(
        "--max-message-size",
        (PROXY,),
        scenes.first_words,
        ("--max-message-size", "20B"),
        said("larger than"),
    ),
    # While somebody signs in, and where a token is renewed or revoked
    Row(
        "--connect-timeout",
        SERVER,
        scenes.unreachable_registration,
        ("--connect-timeout", "0.2"),
        waits_no_longer,
    ),
    Row(
        "--headers-timeout",
        SERVER,
        scenes.silent_registration,
        ("--headers-timeout", "0.5"),
        waits_no_longer,
    ),
    Row(
        "--body-timeout",
        SERVER,
        scenes.silent_amid_registration,
        ("--body-timeout", "0.2"),
        waits_no_longer,
    ),
    Row("--ipv4", SERVER, scenes.registration_on_ipv6, ("--ipv4",), not_to_ipv6),
    Row(
        "--connect-timeout",
        (PROXY,),
        scenes.unreachable_token_endpoint,
        ("--connect-timeout", "0.2"),
        waits_no_longer,
        FILE,
    ),
    Row(
        "--headers-timeout",
        (PROXY,),
        scenes.silent_token_endpoint,
        ("--headers-timeout", "0.5"),
        waits_no_longer,
        FILE,
    ),
    Row(
        "--body-timeout",
        (PROXY,),
        scenes.silent_amid_tokens,
        ("--body-timeout", "0.2"),
        waits_no_longer,
        FILE,
    ),
    Row("--ipv4", (PROXY,), scenes.tokens_on_ipv6, ("--ipv4",), not_to_ipv6, FILE),
    Row(
        "--connect-timeout",
        (LOGOUT,),
        scenes.unreachable_revocation,
        ("--connect-timeout", "0.2"),
        waits_no_longer,
    ),
    Row(
        "--headers-timeout",
        (LOGOUT,),
        scenes.silent_revocation,
        ("--headers-timeout", "0.2"),
        waits_no_longer,
    ),
    Row(
        "--body-timeout",
        (LOGOUT,),
        scenes.silent_amid_revocation,
        ("--body-timeout", "0.2"),
        waits_no_longer,
    ),
    Row("--ipv4", (LOGOUT,), scenes.revocation_on_ipv6, ("--ipv4",), not_to_ipv6),
    Row(
        "--ca-cert",
        (LOGOUT,),
        scenes.revocation_by_tls,
        TRUST,
        lambda seen: "/as/revoke" in seen.paths(),
    ),
    Row("--client-cert", (LOGOUT,), scenes.revocation_by_tls, CERTIFICATE, is_certified, TRUST),
    Row("--client-key", (LOGOUT,), scenes.revocation_by_tls, CERTIFICATE, is_certified, TRUST),
    # Sign-in
    Row(
        "--profile",
        SERVER,
        scenes.signing_in,
        SIGN_IN,
        lambda seen: [one.get("profile") for one in seen.records()] == ["work"],
    ),
    Row(
        "--profile",
        (LOGOUT,),
        scenes.two_accounts,
        ("--profile", "work"),
        accounts(("", ""), (TENANT, "")),
    ),
    Row(
        "--profile",
        (STATUS,),
        scenes.two_accounts,
        ("--profile", "work"),
        lambda seen: "work" in seen.said and TENANT not in seen.said,
    ),
    Row("--scope", SERVER, scenes.signing_in, SIGN_IN, asks("scope", "desk extra")),
    Row(
        "--resource",
        SERVER,
        scenes.signing_in,
        ("--resource", TENANT),
        asks("resource", TENANT),
    ),
    Row(
        "--resource",
        (LOGOUT,),
        scenes.two_accounts,
        ("--resource", TENANT),
        accounts(("", ""), ("", "work")),
    ),
    Row(
        "--resource",
        (STATUS,),
        scenes.two_accounts,
        ("--resource", TENANT),
        lambda seen: TENANT in seen.said and "work" not in seen.said,
    ),
    Row(
        "--disable-resource-parameter",
        SERVER,
        scenes.signing_in,
        ("--disable-resource-parameter",),
        lambda seen: "state" in seen.authorization() and "resource" not in seen.authorization(),
    ),
    Row("--authorize-param", SERVER, scenes.signing_in, SIGN_IN, asks("audience", "own")),
    Row(
        "--static-oauth-client-info",
        SERVER,
        scenes.absent_person,
        CLIENT,
        asks("client_id", "mine"),
        SOON,
    ),
    Row(
        "--static-oauth-client-metadata",
        SERVER,
        scenes.signing_in,
        SIGN_IN,
        lambda seen: seen.registration().get("client_name") == "Own",
    ),
    Row(
        "--client-metadata-url",
        SERVER,
        scenes.documents,
        ("--client-metadata-url", "https://client.example/client.json"),
        asks("client_id", "https://client.example/client.json"),
        SOON,
    ),
    Row(
        "--trusted-issuer",
        SERVER,
        scenes.silent_on_pkce,
        ("--trusted-issuer", "{issuer}"),
        lambda seen: "state" in seen.authorization(),
    ),
    Row("--use-id-token", SERVER, scenes.signing_in, ("--use-id-token",), said("ID token")),
    Row("--host", SERVER, scenes.signing_in, SIGN_IN, redirects_to("//127.0.0.1:")),
    Row("--callback-path", SERVER, scenes.signing_in, SIGN_IN, redirects_to("/cb")),
    Row(
        "--auth-success-url",
        SERVER,
        scenes.signing_in,
        SIGN_IN,
        lambda seen: "/done" in seen.paths(),
    ),
    Row(
        "--auth-timeout",
        SERVER,
        scenes.absent_person,
        ("--auth-timeout", "0.5"),
        said("did not come back within"),
    ),
    Row(
        "--initialize-timeout",
        (PROXY,),
        scenes.absent_person,
        ("--initialize-timeout", "0.5"),
        lambda seen: bool(seen.answers),
    ),
    Row(
        "--browser",
        SERVER,
        scenes.signing_in,
        SIGN_IN,
        lambda seen: len(seen.opened_by_another) == 1,
    ),
    Row(
        "--no-browser",
        SERVER,
        scenes.absent_person,
        ("--no-browser",),
        lambda seen: not seen.opened and "state=" in seen.text,
        SOON,
    ),
    Row("--paste", (LOGIN,), scenes.absent_person, ("--paste",), said("paste it here"), SOON),
    Row("--device-code", SERVER, scenes.by_code, ("--device-code",), said("WDJB-MJHT")),
    Row(
        "--client-credentials",
        SERVER,
        scenes.for_agents,
        ("--client-credentials",),
        form("/token", grant_type="client_credentials"),
        CLIENT,
    ),
    *(
        Elsewhere(name, (LOGOUT, STATUS), ACCOUNT_OF_AN_ENTRY)
        for name in ("--client-credentials", "--jwt-bearer", "--idp-token-endpoint")
    ),
    Row(
        "--private-key",
        SERVER,
        scenes.for_agents,
        KEY,
        lambda seen: assertion_by(seen) != "",
        AGENT,
    ),
    Row(
        "--signing-alg",
        SERVER,
        scenes.for_agents,
        KEY[2:],
        lambda seen: assertion_by(seen) == "PS256",
        (*AGENT, *KEY[:2]),
    ),
    Row(
        "--jwt-bearer",
        SERVER,
        scenes.for_agents,
        ("--jwt-bearer", "{folder}/jwt"),
        form("/token", grant_type="urn:ietf:params:oauth:grant-type:jwt-bearer"),
    ),
    Row(
        "--idp-token-endpoint",
        SERVER,
        scenes.for_agents,
        IDP,
        lambda seen: "/idp/token" in seen.paths(),
        CLIENT,
    ),
    Row(
        "--idp-client-id",
        SERVER,
        scenes.for_agents,
        IDP,
        form("/idp/token", client_id="at-idp"),
        CLIENT,
    ),
    Row(
        "--idp-id-token",
        SERVER,
        scenes.for_agents,
        IDP,
        lambda seen: any(
            one.get("subject_token", "").count(".") == 2 for one in seen.bodies("/idp/token")
        ),
        CLIENT,
    ),
    Row(
        "--token-endpoint",
        SERVER,
        scenes.for_agents,
        ("--token-endpoint", "{origin}/own/token"),
        lambda seen: "/own/token" in seen.paths(),
        AGENT,
    ),
    Row(
        "--authorization-endpoint",
        SERVER,
        scenes.silent_on_everything,
        ("--authorization-endpoint", "{origin}/own/page", "--token-endpoint", "{origin}/own/token"),
        lambda seen: any("/own/page?" in url for url in seen.opened),
        (*CLIENT, *SOON),
    ),
    Row(
        "--allow-private-network",
        SERVER,
        scenes.elsewhere,
        ("--allow-private-network",),
        lambda seen: "state" in seen.authorization(),
        ("--allow-http",),
    ),
    Row(
        "--allow-private-network",
        (LOGOUT,),
        scenes.revocation_elsewhere,
        ("--allow-private-network",),
        lambda seen: "/as/revoke" in seen.paths(),
    ),
    Elsewhere(
        "--token-store",
        (PROXY,),
        "tests/signin/test_commands.py::test_a_sign_in_that_is_not_kept_is_not_told_of",
    ),
    Row(
        "--token-store", (LOGIN,), scenes.signing_in, FILE, lambda seen: "keyring" not in seen.text
    ),
    Elsewhere(
        "--token-store",
        (LOGOUT,),
        "tests/commands/test_logout.py::test_store_that_is_named_wins_and_the_keyring_is_the_rest",
    ),
    Row("--all", (LOGOUT,), scenes.everywhere, ("--all",), accounts()),
    # AWS
    Elsewhere("--aws-sigv4", (PROXY,), f"{OF_AWS}_service_and_region_are_those_that_are_given"),
    Elsewhere("--aws-service", (PROXY,), f"{OF_AWS}_service_and_region_are_those_that_are_given"),
    Elsewhere("--aws-region", (PROXY,), f"{OF_AWS}_service_and_region_are_those_that_are_given"),
    Elsewhere(
        "--aws-profile",
        (PROXY,),
        f"{OF_AWS}_keys_of_a_profile_and_those_that_are_written_there_later",
    ),
    Elsewhere("--aws-sigv4", (LOGIN, LOGOUT, STATUS), f"{OF_AWS}_there_is_nothing_to_sign_in_to"),
    Elsewhere("--aws-profile", (LOGIN, LOGOUT, STATUS), f"{OF_AWS}_there_is_nothing_to_sign_in_to"),
    # Tools
    Row(
        "--allow-tool",
        (PROXY,),
        scenes.open_server,
        RELAY,
        lambda seen: "keep" in seen.tools() and "unnamed" not in seen.tools(),
    ),
    Row(
        "--ignore-tool",
        (PROXY,),
        scenes.open_server,
        RELAY,
        lambda seen: "keep" in seen.tools() and "keep-hidden" not in seen.tools(),
    ),
    Row(
        "--read-only",
        (PROXY,),
        scenes.open_server,
        RELAY,
        lambda seen: "keep" in seen.tools() and "keep-writing" not in seen.tools(),
    ),
    Row(
        "--merge-pages",
        (PROXY,),
        scenes.in_pages,
        ("--merge-pages",),
        lambda seen: seen.tools()[-2:] == ["keep-writing", "last"],
    ),
    Row(
        "--metadata",
        (PROXY,),
        scenes.open_server,
        ("--metadata", "AWS_REGION=eu-west-1"),
        lambda seen: {"AWS_REGION": "eu-west-1"} in seen.metadata(),
    ),
    # Logs, and the rest
    Row("--debug", EVERY, scenes.two_accounts, ("--debug",), lambda seen: " DEBUG " in seen.logged),
    Row("--silent", SERVER, scenes.refuses, ("--silent",), lambda seen: seen.logged == ""),
    Row(
        "--silent",
        (LOGOUT, STATUS),
        scenes.carelessly_kept,
        ("--silent",),
        lambda seen: seen.logged == "",
    ),
    Row(
        "--log-file",
        EVERY,
        scenes.two_accounts,
        ("--log-file", "{folder}/home/log"),
        lambda seen: (
            scenes.is_private(seen.home / "log") if (seen.home / "log").exists() else False
        ),
    ),
    Row(
        "--json",
        (STATUS,),
        scenes.two_accounts,
        ("--json",),
        lambda seen: seen.said.startswith("{"),
    ),
    # Entries of hosts
    Elsewhere("--client", (INSTALL,), f"{OF_INSTALL}_all_hosts_that_are_found"),
    Elsewhere("--client", (UNINSTALL,), f"{OF_UNINSTALL}_several_hosts_with_it_are_listed"),
    Elsewhere("--config", (INSTALL,), f"{OF_INSTALL}_project_file_is_recognised_by_its_name"),
    Elsewhere("--config", (UNINSTALL,), f"{OF_UNINSTALL}_file_that_is_named"),
    Elsewhere("--print", (INSTALL,), f"{OF_INSTALL}_print_writes_the_entry_alone_for_a_pipe"),
    Elsewhere(
        "--dry-run",
        (INSTALL,),
        f"{OF_INSTALL}_dry_run_shows_the_difference_and_writes_nothing",
    ),
    Elsewhere("--dry-run", (UNINSTALL,), f"{OF_UNINSTALL}_dry_run_of_uninstall_writes_nothing"),
    Elsewhere("--yes", (INSTALL,), f"{OF_INSTALL}_yes_replaces_without_a_question"),
    Elsewhere("--yes", (UNINSTALL,), f"{OF_UNINSTALL}_entry_of_others_needs_its_name_or_yes"),
    Elsewhere("--secrets", (INSTALL,), f"{OF_INSTALL}_secrets_in_a_file_that_goes_with_the_entry"),
    Elsewhere(
        "--login",
        (INSTALL,),
        "tests/installing/test_a_host_reads_it.py"
        "::test_login_signs_in_without_a_question_and_only_once",
    ),
    # A check
    Elsewhere(
        "--yes",
        (CHECK,),
        "tests/commands/test_check_project.py::test_what_a_project_wants_is_told_and_not_done",
    ),
    Elsewhere("--client", (CHECK,), f"{OF_CHECK}client_is_asked_for_where_entries_differ"),
    Elsewhere("--config", (CHECK,), f"{OF_CHECK}config_is_where_the_entry_is_looked_for"),
    Elsewhere(
        "--login", (CHECK,), f"{OF_CHECK}name_of_an_entry_is_checked_as_its_host_would_start_it"
    ),
    Elsewhere("--json", (CHECK,), f"{OF_CHECK}json_is_one_object_with_stable_names"),
    Elsewhere("--report", (CHECK,), f"{OF_CHECK}report_for_the_public"),
    Row("--version", EVERY, scenes.nobody, ("--version",), said("mcp-remote-py 0.")),
    Row("--help", EVERY, scenes.nobody, ("--help",), said("usage: mcp-remote-py", "[options]")),
    Elsewhere(
        "--help",
        ENTRY,
        "tests/cli/test_help.py::test_the_help_of_a_command_has_what_it_does_examples_and_options",
    ),
    Elsewhere(
        "--help-all",
        (*EVERY, *ENTRY),
        "tests/cli/test_help.py::test_help_all_lists_every_option_that_counts_and_no_other",
    ),
    Elsewhere("--version", ENTRY, "tests/cli/test_help.py::test_the_version_has_a_short_form"),
)
