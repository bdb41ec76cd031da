"""`check` from outside: words in; steps, a verdict, an exit status out. Real servers and sockets.

What each step says of a server is shown by `tests/checking` and `tests/diagnosis`.
"""

from __future__ import annotations

import io
import json
import os
import socket
import stat
import time
from collections.abc import AsyncGenerator, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from mcp_remote_py import __version__
from mcp_remote_py.cli.arguments import parse_arguments
from mcp_remote_py.cli.given import Given
from mcp_remote_py.cli.main import main
from mcp_remote_py.cli.program import CHECK
from mcp_remote_py.cli.read_check import read_check
from mcp_remote_py.commands.check import describe_machine, run_check
from mcp_remote_py.console import Console
from mcp_remote_py.credentials.session_files import SessionFile, state_directory
from mcp_remote_py.diagnosis.public_report import LOOK_OVER
from mcp_remote_py.diagnosis.steps import CheckStep, StepState
from mcp_remote_py.errors import UsageError
from mcp_remote_py.redact import Secret
from mcp_remote_py.session_id import SessionId
from mcp_remote_py.settings.check import CheckSettings, EntryStart
from mcp_remote_py.settings.commands import ProxySettings
from tests.peers.authorization_server import AuthorizationServer, Policy
from tests.peers.wild_server import WildServer, answer_status

pytestmark = pytest.mark.timeout(60)

HEADER_CANARY = "canary-of-check-header-1"
URL_CANARY = "canary-of-check-url-2"
ENV_CANARY = "canary-of-check-env-3"
USER = "maximiliane"


async def network_works(
    settings: ProxySettings, now: float, seconds: float
) -> AsyncGenerator[CheckStep]:
    assert 0 < seconds <= 4
    yield CheckStep("connection", "Connection", StepState.PASSED, "Connected.", ("evidence",))


async def network_fails(
    settings: ProxySettings, now: float, seconds: float
) -> AsyncGenerator[CheckStep]:
    yield CheckStep("address", "Address", StepState.PASSED, "It can be used.")
    said = "No address is known."
    yield CheckStep("name", "Name", StepState.FAILED, said, ("asked: a.test",), "Check the name.")


class Told(NamedTuple):
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Desk:
    """A person's folder, and the words that they type."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.environment = {
            "HOME": str(folder),
            "USER": USER,
            "MCP_REMOTE_CONFIG_DIR": str(self.state),
            "PATH": os.environ.get("PATH", os.defpath),
        }

    def check(
        self, *words: str, network: Any = network_works, command_patience: float = 5.0
    ) -> Told:
        def run(settings: CheckSettings, environment: Mapping[str, str], console: Console) -> int:
            return run_check(
                settings, environment, console, network, command_patience=command_patience
            )

        out, err = io.StringIO(), io.StringIO()
        status = main(["check", *words], self.environment, out, err, lambda _: run)
        return Told(status, out.getvalue(), err.getvalue())


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    folder = tmp_path / USER
    folder.mkdir()
    return Desk(folder)


@pytest.fixture
def server() -> Iterator[WildServer]:
    with WildServer() as running:
        yield running


def content_of(folder: Path) -> dict[str, bytes]:
    return {str(one): one.read_bytes() for one in folder.rglob("*") if one.is_file()}


def test_a_server_that_works(desk: Desk, server: WildServer) -> None:
    told = desk.check(server.url, "--token-store", "file")
    lines = told.out.splitlines()
    assert told.status == 0, told
    assert lines[:2] == [f"Checking {server.url}", ""]
    assert "ok      Connection: Connected." in lines
    assert any(line.startswith("ok      Protocol: The server speaks ") for line in lines)
    assert "It works." in told.out.rpartition("\n\n")[2]
    assert "Next:" not in told.out
    assert "evidence" not in told.out, "of what passed, only with --debug"
    assert "\x1b" not in told.out, "not a terminal"
    assert max(map(len, lines)) <= 80
    assert told.err == ""


def test_debug_shows_all_that_was_seen(desk: Desk, server: WildServer) -> None:
    told = desk.check(server.url, "--debug")
    assert "          evidence" in told.out.splitlines()


async def network_breaks(
    settings: ProxySettings, now: float, seconds: float
) -> AsyncGenerator[CheckStep]:
    yield CheckStep("address", "Address", StepState.PASSED, "It can be used.")
    raise ValueError(HEADER_CANARY)


def test_a_step_that_breaks_is_told_and_reported(desk: Desk, server: WildServer) -> None:
    told = desk.check(server.url, "--report", str(desk.folder / "report"), network=network_breaks)
    assert (told.status, told.err) == (1, "")
    said = " ".join(told.out.split())
    assert "FAILED mcp-remote-py itself: mcp-remote-py failed at this step (ValueError)" in said
    assert "network_breaks" in told.out
    assert "Please report it, with what --report FILE writes." in said
    report = (desk.folder / "report").read_text(encoding="utf-8")
    assert "network_breaks" in report
    assert HEADER_CANARY not in told.out + report


def test_a_key_in_the_place_of_an_address_is_not_repeated(desk: Desk) -> None:
    told = desk.check("ghp_16C7e42F292c6912E7710c838347Ae178B4a")
    assert told.status == 2
    assert "No entry is called ****." in told.err


def test_a_sign_in_that_is_missing_and_nothing_is_spent(desk: Desk) -> None:
    with AuthorizationServer(Policy()) as server:
        desk.state.mkdir()
        before = content_of(desk.folder)
        told = desk.check(server.url, "--token-store", "file", "--scope", "a")
        assert not server.registrations
        assert not server.authorizations
        assert content_of(desk.folder) == before, "neither a session nor a tab is counted"
    assert told.status == 3, told
    command = f"Next: mcp-remote-py login {server.url} --token-store file --scope a"
    assert sorted(told.out.splitlines()[-1].split()) == sorted(command.split())


def test_a_dead_network_ends_it_with_the_rest_skipped(desk: Desk) -> None:
    told = desk.check("https://a.test/mcp", network=network_fails)
    assert told.status == 1
    assert told.out.splitlines() == [
        "Checking https://a.test/mcp",
        "",
        "ok      Address: It can be used.",
        "FAILED  Name: No address is known.",
        "          asked: a.test",
        "-       Connection, Certificate, Protocol, What a host sees: Not looked at: Name",
        "        failed.",
        "",
        "No address is known.",
        "Check the name.",
    ]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("socks5://me:canary-of-a-proxy-8@p.test:1080", "is a SOCKS proxy, which is not supported"),
        ("http://p.test/wpad.dat", "is the address of a PAC file, which is not read here"),
        ("ftp://p.test", "is of a kind that is not supported"),
        ("http://p.test:port", ""),
    ],
)
def test_proxy_that_cannot_be_used_is_a_step_that_failed(desk: Desk, value: str, said: str) -> None:
    desk.environment["HTTPS_PROXY"] = value
    told = desk.check("https://a.test/mcp", network=None)
    lines = told.out.splitlines()
    assert (told.status, told.err) == (1, "")
    assert lines[2] == "ok      Address: The address is https://a.test/mcp."
    assert lines[3].startswith("FAILED  HTTP proxy: The proxy in HTTPS_PROXY ")
    assert "-       Name, Connection, Certificate, Protocol, What a host sees: Not looked" in lines
    assert said in " ".join(told.out.split())
    assert lines[-1], "a next step"
    assert "canary" not in told.out


def test_header_command_that_never_ends_is_a_fault(desk: Desk, server: WildServer) -> None:
    pid = desk.folder / "pid"
    helper = desk.folder / "helper"
    helper.write_text(f"#!/bin/sh\necho $$ > {pid}.new && mv {pid}.new {pid}\nexec sleep 60\n")
    helper.chmod(0o700)
    told = desk.check(server.url, "--header-command", str(helper), command_patience=1.0)
    assert (told.status, told.err) == (1, "")
    lines = told.out.splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith("FAILED"))
    assert lines[start] == "FAILED  Headers and keys: The header command"
    assert "          time for a command: 1 s here, 30 s for a host" in lines
    assert "-       Protocol, What a host sees: Not looked at: Headers and keys failed." in lines
    assert lines[-1] == "It must print headers and end, without asking anything."
    assert server.requests == []
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("false", "The header command false ended with status 1."),
        ("/nowhere/token", "The header command /nowhere/token cannot be started: No such file or "
         "directory."),
    ],
)  # fmt: skip
def test_header_command_that_fails_is_a_step_that_failed(
    desk: Desk, command: str, said: str
) -> None:
    told = desk.check("https://a.test/mcp", "--header-command", command, "--json")
    assert (told.status, told.err) == (1, "")
    verdict = told.json["verdict"]
    assert (verdict["step"], verdict["said"], bool(verdict["hint"])) == ("given", said, True)


def test_header_command_that_works_is_told_with_the_names(desk: Desk, server: WildServer) -> None:
    value = "canary-of-a-command-3"
    told = desk.check(server.url, "--header-command", f"echo X-Key: {value}", "--json")
    assert told.status == 0
    assert value not in told.out
    (step,) = [one for one in told.json["steps"] if one["name"] == "given"]
    assert step["said"] == "The header command has run; these headers are sent: X-Key."


def test_a_dead_server_is_told_within_ten_seconds(desk: Desk) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/mcp"
    began = time.monotonic()
    told = desk.check(url)
    assert time.monotonic() - began < 10
    assert told.status == 1
    assert "FAILED  Protocol:" in told.out


def test_json_is_one_object_with_stable_names(desk: Desk, server: WildServer) -> None:
    told = desk.check(server.url, "--json")
    assert told.status == 0
    assert set(told.json) == {"version", "server", "source", "steps", "verdict"}
    assert (told.json["version"], told.json["server"]) == (__version__, server.url)
    first = told.json["steps"][0]
    assert first == {
        "name": "connection",
        "title": "Connection",
        "state": "passed",
        "said": "Connected.",
        "evidence": ["evidence"],
        "hint": "",
        "seconds": None,
    }
    verdict = told.json["verdict"]
    assert set(verdict) == {"step", "said", "hint", "command", "status"}
    assert verdict["status"] == 0
    assert {one["name"] for one in told.json["steps"]} >= {"transport", "challenge", "host-view"}


def test_report_for_the_public(desk: Desk, server: WildServer) -> None:
    path = desk.folder / "report.md"
    desk.environment["CHECK_TOKEN"] = ENV_CANARY
    told = desk.check(
        f"{server.url}?api_key={URL_CANARY}",
        *(
            "--header",
            f"X-Key: {HEADER_CANARY}",
            "--header",
            "Authorization: Bearer ${CHECK_TOKEN}",
        ),
        *("--log-file", str(desk.folder / "log.txt"), "--report", str(path)),
    )
    assert told.status == 0, told
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    report = path.read_text(encoding="utf-8")
    for text in (report, told.out, told.err):
        for canary in (HEADER_CANARY, URL_CANARY, ENV_CANARY):
            assert canary not in text
    assert USER not in report
    assert "`~/log.txt`" in report
    assert "`X-Key: ****`" in report
    assert "${CHECK_TOKEN}" in report
    assert "--report" not in report, "not an option of the entry"
    assert f"- mcp-remote-py {__version__}\n" in report
    assert "## Verdict\n\nIt works." in report
    assert "### ok: Connection\n\nConnected.\n\n    evidence\n" in report
    written, *advice = told.out.splitlines()[-4:]
    assert written == f"The report is in {path}."
    assert " ".join(advice) == LOOK_OVER
    assert max(map(len, advice)) <= 80


def test_report_is_never_written_over_a_file_nor_through_a_link(desk: Desk) -> None:
    there = desk.folder / "there.md"
    there.write_text("mine", encoding="utf-8")
    link = desk.folder / "link.md"
    link.symlink_to(desk.folder / "nowhere.md")
    for path in (there, link):
        told = desk.check("https://a.test/mcp", "--report", str(path), network=network_fails)
        assert told.status == 2
        assert f"{path} is there already, and is not overwritten." in told.err
        assert "Give --report the name of a new file." in told.err
        assert told.out == "", "said before anything is asked"
    assert there.read_text(encoding="utf-8") == "mine"
    assert not (desk.folder / "nowhere.md").exists()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "none/report.md",
            "The report cannot be written to {path}: its folder is not there. Make the folder "
            "first, or give --report the name of a file in another one.",
        ),
        (
            "state",
            "The report cannot be written: {path} is the name of a folder. Name a file in it: "
            "--report {path}/report.md",
        ),
        (
            "none/",
            "The report cannot be written: {path} is the name of a folder. Name a file in it: "
            "--report {path}report.md",
        ),
        (
            "file/report.md",
            "The report cannot be written to {path}: Not a directory. Give --report the name of a "
            "new file in a folder where you may write.",
        ),
    ],
)
def test_report_that_cannot_be_written_is_refused_before_any_step(
    desk: Desk, name: str, said: str
) -> None:
    desk.state.mkdir()
    (desk.folder / "file").write_text("mine", encoding="utf-8")
    path = f"{desk.folder}/{name}"
    before = content_of(desk.folder)
    told = desk.check("https://a.test/mcp", "--report", path, network=network_fails)
    assert (told.status, told.out) == (2, "")
    assert told.err == f"mcp-remote-py: error: {said.format(path=path)}\n"
    assert content_of(desk.folder) == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--report",), "--report needs a value. For example: --report report.md"),
        (("--report", "--json"), "--report needs a value. For example: --report report.md"),
        (("--report=",), "--report is empty. Give the name of a file, or leave it out."),
    ],
)
def test_report_without_a_file(desk: Desk, words: tuple[str, ...], said: str) -> None:
    told = desk.check("https://a.test/mcp", *words, network=network_fails)
    assert told == (2, "", f"mcp-remote-py: error: {said}\n")


def test_report_whose_folder_goes_meanwhile(desk: Desk) -> None:
    folder = desk.folder / "short"
    folder.mkdir()

    async def take_it_away(
        settings: ProxySettings, now: float, seconds: float
    ) -> AsyncGenerator[CheckStep]:
        folder.rmdir()
        async for step in network_fails(settings, now, seconds):
            yield step

    told = desk.check("https://a.test/mcp", "--report", str(folder / "r.md"), network=take_it_away)
    assert told.status == 1
    assert "its folder is not there" in told.err
    assert "No address is known." in told.out, "what was seen is told all the same"


def test_report_hides_the_person_not_a_common_name() -> None:
    around = describe_machine({"HOME": "/root", "USER": "root"})
    from mcp_remote_py.diagnosis.public_report import hide_person

    assert hide_person("the root of /root/x", around) == "the root of ~/x"


# Entries by their names ----------------------------------------------------------------------


class AHost(NamedTuple):
    key: str
    title: str


class AnEntry(NamedTuple):
    name: str
    words: tuple[str, ...]
    variables: Mapping[str, Secret] = {}
    host: AHost = AHost("cursor", "Cursor")
    path: str = "/home/x/mcp.json"
    start: EntryStart | None = None


def read(entries: list[AnEntry], *words: str) -> CheckSettings:
    asked: list[object] = []

    def find(
        name: str | None, clients: Any, config: str | None, environment: Mapping[str, str]
    ) -> list[AnEntry]:
        asked.append((name, tuple(clients), config))
        return [
            one
            for one in entries
            if name in (None, one.name) and (not clients or one.host.key in clients)
        ]

    given = Given(
        parse_arguments(CHECK, words),
        {"OF_US": "https://other.test/mcp", "KEY_OF_US": "canary-of-us-11"},
    )
    return read_check(given, find)


MATH = AnEntry(
    "math",
    ("${MATH_URL}", "--profile", "work", "--allow-http"),
    {"MATH_URL": Secret("http://math.test/mcp"), "HTTP_PROXY": Secret("http://proxy.test:3128")},
)


def test_name_of_an_entry_is_checked_as_its_host_would_start_it() -> None:
    settings = read([MATH], "math", "--login")
    assert str(settings.server) == "http://math.test/mcp"
    assert settings.relay.sign_in.profile == "work"
    assert settings.relay.entry_words == ("--profile", "work", "--allow-http")
    assert settings.login
    assert (settings.name, settings.source) == ("math", "Cursor, /home/x/mcp.json")
    proxy = settings.relay.network.proxy_for(settings.server)
    assert proxy is not None, "the variables of the entry count"
    assert settings.variables == MATH.variables


@pytest.mark.parametrize(
    ("words", "typed"),
    [
        (("math",), "math"),
        (("math", "--login", "--json"), "math"),
        (("math", "--client", "cursor", "--config", "/a b.json"),
         "math --client cursor --config '/a b.json'"),
        (("math", "--profile", "other", "--header", "X-Key: canary-of-a-header-5"),
         "math --header '****' --profile other"),
    ],
)  # fmt: skip
def test_name_is_what_is_typed_again(words: tuple[str, ...], typed: str) -> None:
    assert read([MATH], *words).typed == typed


def test_next_command_for_an_entry_is_one_that_reads_its_environment(desk: Desk) -> None:
    with AuthorizationServer(Policy()) as server:
        (desk.folder / ".cursor").mkdir()
        entry = {
            "command": "uvx",
            "args": ["mcp-remote-py", "${MATH_URL}", "--token-store", "file", "--scope", "a"],
            "env": {"MATH_URL": server.url},
        }
        text = json.dumps({"mcpServers": {"my math": entry}})
        (desk.folder / ".cursor" / "mcp.json").write_text(text, encoding="utf-8")
        told = desk.check("my math")
    assert told.status == 3, told
    assert told.out.splitlines()[-1] == "Next: mcp-remote-py check 'my math' --login"


def test_name_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(UsageError) as caught:
        read([MATH], "maths")
    assert caught.value.sentence() == (
        "No entry is called maths. There are: math. Give one of these names, or the address of "
        "the server in full: https://..."
    )
    with pytest.raises(UsageError) as caught:
        read([], "math")
    assert caught.value.sentence() == (
        "No entry is called math. No configuration of a host has any entry. "
        "Give the address of the server in full: https://..."
    )


@pytest.mark.parametrize(
    ("word", "url"),
    [
        ("127.0.0.1:9/mcp", "http://127.0.0.1:9/mcp"),
        ("localhost:8000/mcp", "http://localhost:8000/mcp"),
        ("example.com/mcp", "https://example.com/mcp"),
        ("//example.com", "https://example.com"),
        ("mcp:8000", "https://mcp:8000"),
        ("example.com/mcp?key=canary-of-a-word-9", "https://example.com/mcp?key=****"),
        ("files", ""),
        ("my files", ""),
        ("@scope/files", ""),
        ("./mcp.json", ""),
    ],
)
def test_address_without_its_scheme_is_guessed(word: str, url: str) -> None:
    with pytest.raises(UsageError) as caught:
        read([MATH], word)
    sentence = caught.value.sentence()
    shown = url.partition("://")[2] or word
    assert sentence.startswith(f"No entry is called {shown}. There are: math. ")
    assert "canary" not in sentence
    guess = f"If it is the address of a server, its scheme is missing. Try: {url}"
    assert sentence.endswith(guess) is bool(url)


def test_entry_whose_name_looks_like_an_address_is_found() -> None:
    assert read([MATH._replace(name="math.test:1")], "math.test:1").name == "math.test:1"


def test_client_is_asked_for_where_entries_differ() -> None:
    other = MATH._replace(words=("https://b.test/mcp",), host=AHost("zed", "Zed"), path="/z.json")
    with pytest.raises(UsageError) as caught:
        read([MATH, other], "math")
    assert caught.value.sentence() == (
        "The entry math is not the same everywhere: Cursor (/home/x/mcp.json); Zed (/z.json). "
        "Say which one is meant: --client cursor."
    )
    assert str(read([MATH, other], "math", "--client", "zed").server) == "https://b.test/mcp"
    assert read([MATH, MATH._replace(path="/same.json")], "math").name == "math"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("https://a.test/mcp", "--headr", "x"), "Unknown option --headr. Did you mean --header?"),
        (
            ("https://a.test/mcp", "--ca-cert", "/nowhere.pem"),
            "--ca-cert: cannot read /nowhere.pem: No such file or directory. Give the full path of "
            "a file you may read.",
        ),
        (
            ("http://a.test/mcp",),
            "Plain http to a.test would let the network read every header and message. Use https, "
            "or add --allow-http if that network is trusted.",
        ),
    ],
)
def test_mistake_in_an_entry_is_told_to_be_there(words: tuple[str, ...], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        read([MATH._replace(words=words)], "math", "--login")
    assert caught.value.sentence() == (
        "The entry math of Cursor (/home/x/mcp.json) has a mistake, with which it cannot start: "
        f"{said}"
    )


def test_mistake_that_is_typed_is_not_the_entrys() -> None:
    with pytest.raises(UsageError) as caught:
        read([MATH], "math", "--ca-cert", "/nowhere.pem")
    assert caught.value.sentence().startswith("--ca-cert: cannot read /nowhere.pem: ")


def test_config_is_where_the_entry_is_looked_for() -> None:
    seen: list[str | None] = []

    def find(
        name: str | None, clients: Any, config: str | None, environment: Mapping[str, str]
    ) -> list[AnEntry]:
        seen.append(config)
        return [MATH]

    words = ("math", "--config", "/a/mcp.json")
    read_check(Given(parse_arguments(CHECK, words), {}), find)
    assert seen == ["/a/mcp.json"]


def test_entry_of_another_program_is_not_checked() -> None:
    with pytest.raises(UsageError) as caught:
        read([AnEntry("files", ("-y", "server-filesystem"))], "files")
    assert caught.value.sentence() == (
        "The entry files of Cursor does not start mcp-remote-py. "
        "Give the address of the server in full: https://..."
    )


START = EntryStart(name="math", host="Cursor", path="/home/x/mcp.json", command="uvx")


@pytest.mark.parametrize("words", [(), ("--debug",)])
def test_entry_without_an_address(words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError) as caught:
        read([MATH._replace(words=words, start=START)], "math")
    assert caught.value.sentence() == (
        'The address of the server is missing in "args" of math (Cursor, /home/x/mcp.json). '
        "Write it again: mcp-remote-py install math https://..."
    )


@pytest.mark.parametrize(
    ("words", "where"),
    [
        ((), "--client cursor"),
        (("--config", "/a b.json"), "--config '/a b.json'"),
        (("--config=-x.json",), "--config=-x.json"),
    ],
)
def test_command_that_writes_an_entry_anew(words: tuple[str, ...], where: str) -> None:
    start = read([MATH._replace(start=START)], "math", *words).start
    assert start is not None
    assert start.install == f"mcp-remote-py install math http://math.test/mcp {where}"


def test_secret_that_only_the_host_knows_is_not_a_mistake() -> None:
    words = ("https://a.test/mcp", "--header", "Authorization:${TOKEN}")
    asked = MATH._replace(words=words, variables={"TOKEN": Secret("${input:t}")})
    told = "To check its server from here, give the address and the secret: mcp-remote-py check "
    told += 'https://a.test/mcp --header "Authorization: Bearer TOKEN"'
    with pytest.raises(UsageError) as caught:
        read([asked], "math")
    assert caught.value.sentence() == (
        "The entry math is fine, but its secret is known only to Cursor, so it cannot be checked "
        f"by name. Start it in Cursor. {told}"
    )
    with pytest.raises(UsageError) as caught:
        read([asked._replace(variables={"TOKEN": Secret("${env:T}")})], "math")
    assert caught.value.sentence() == (
        "The entry math is fine, but it cannot be checked by name: ${env:T} stands for a value "
        f"that the host of the entry fills in, and nobody else. Start it in Cursor. {told}"
    )


@pytest.mark.parametrize(
    "words",
    [
        ("--header-file", "/nowhere/math.headers"),
        ("--header-file=/nowhere/math.headers",),
        ("--header-file", "'/nowhere/math.headers'"),
    ],
)
def test_file_of_an_entry_that_is_gone(words: tuple[str, ...]) -> None:
    words = ("https://a.test/mcp", *words)
    with pytest.raises(UsageError) as caught:
        read([MATH._replace(words=words)], "math")
    assert caught.value.sentence() == (
        "The entry math of Cursor cannot start: the file with its token is gone "
        "(/nowhere/math.headers). Write it again: mcp-remote-py install math https://a.test/mcp "
        '--client cursor --header "Authorization: Bearer TOKEN" --secrets file'
    )


@pytest.mark.parametrize(
    ("words", "place"),
    [
        (("--header", "Authorization:${AUTH}"),
         'the variable AUTH in "env" of the entry math in /home/x/mcp.json'),
        (("--header", "Authorization: Bearer canary-of-a-header-6"),
         'in "args" of the entry math in /home/x/mcp.json'),
        (("--header=Authorization: Bearer canary-of-a-header-6",),
         'in "args" of the entry math in /home/x/mcp.json'),
        (("--header", "X:${KEY_OF_US}"), "your own variable KEY_OF_US"),
        (("--header", "X: canary-a-7", "--header", "Y: canary-a-8"), ""),
        ((), ""),
    ],
)  # fmt: skip
def test_where_the_value_of_a_header_stands(words: tuple[str, ...], place: str) -> None:
    variables = {"AUTH": Secret("Bearer canary-of-a-header-9")}
    entry = MATH._replace(words=("https://a.test/mcp", *words), variables=variables)
    assert read([entry], "math").value_place == place


def test_where_a_refused_header_stands_is_told(desk: Desk, server: WildServer) -> None:
    for method in ("initialize", "server/discover"):
        server.always(method, answer_status(401, headers={"WWW-Authenticate": "Bearer"}))
    (desk.folder / ".cursor").mkdir()
    file = desk.folder / ".cursor" / "mcp.json"
    entry = {
        "command": "mcp-remote-py",
        "args": [server.url, "--header", "Authorization:${AUTH}"],
        "env": {"AUTH": "Bearer canary-of-a-header-10"},
    }
    file.write_text(json.dumps({"mcpServers": {"math": entry}}), encoding="utf-8")
    verdict = desk.check("math", "--json").json["verdict"]
    assert verdict["hint"] == (
        "Check its value: is it whole, valid, and meant for this server? As long as this header "
        "is there, the browser sign-in is not used. Its value is the variable AUTH in "
        f'"env" of the entry math in {file}.'
    )


def test_unknown_option_is_told_before_what_is_missing() -> None:
    with pytest.raises(UsageError) as caught:
        parse_arguments(CHECK, ["--al"])
    assert caught.value.cause == "Unknown option --al."


def test_one_server_at_a_time() -> None:
    with pytest.raises(UsageError) as caught:
        read([MATH], "math", "work")
    assert caught.value.sentence() == (
        "check takes one server at a time. Give one name or one address."
    )


def test_sign_in_under_another_profile_is_named(desk: Desk) -> None:
    with AuthorizationServer(Policy()) as server:
        session = SessionId(server.url, profile="work")
        record = SessionFile(state_directory(desk.environment), session)
        record.update(signed_in_at=1.8e9)
        record.flush()
        told = desk.check(server.url, "--json", "--token-store", "file")
    assert told.json["verdict"]["said"].startswith(
        "Nobody is signed in. There is a sign-in as --profile work"
    )


def test_state_folder_that_cannot_be_read_is_a_step(desk: Desk) -> None:
    desk.state.write_text("not a folder")
    with AuthorizationServer(Policy()) as server:
        told = desk.check(server.url, "--token-store", "file")
    assert told.status == 1, told
    assert "FAILED  Stored sign-in:" in told.out
    assert "cannot be read: " in " ".join(told.out.split())
    assert told.out.splitlines()[-1] != ""
    assert "cannot be read" not in told.err


BROKEN = "{folder}/config.toml, line 1, column 18: A closing bracket is expected, but"
UNREAD = f"The configuration of Codex cannot be read, so it was not looked at: {BROKEN}"


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("math",), 1, f"[mcp-remote-py] {UNREAD}"),
        (("maths",), 2, f"error: No entry is called maths. There are: math. {UNREAD}"),
        (("math", "--client", "codex"), 1, f"error: {BROKEN}"),
    ],
)
def test_a_configuration_that_is_broken_does_not_end_the_search(
    desk: Desk, words: tuple[str, ...], status: int, said: str
) -> None:
    (desk.folder / ".cursor").mkdir()
    (desk.folder / ".codex").mkdir()
    entry = {"command": "uvx", "args": ["mcp-remote-py", "https://a.test/mcp"]}
    text = json.dumps({"mcpServers": {"math": entry}})
    (desk.folder / ".cursor" / "mcp.json").write_text(text, encoding="utf-8")
    (desk.folder / ".codex" / "config.toml").write_text("[mcp_servers.math\n", encoding="utf-8")
    told = desk.check(*words, network=network_fails)
    assert told.status == status, told
    assert said.format(folder=desk.folder / ".codex") in told.err
    assert told.err.count("config.toml") == 1
    assert "Nothing was changed" not in told.err
    was_found = words == ("math",)
    assert ("Checking https://a.test/mcp (entry math: Cursor, " in told.out) is was_found
    if "--client" in words:
        assert told.err.endswith("Open it in an editor, mend that place, and check again.\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("check", "evil"),
            "The entry evil of Cursor does not start mcp-remote-py. "
            "Give the address of the server in full: https://...",
        ),
        (
            ("check", "evil", "--client", "cursor", "--config", "{folder}/pipe"),
            "{folder}/pipe cannot be read: It is not a plain file. "
            "Check that it is the right file.",
        ),
    ],
)
def test_what_a_file_says_is_read_and_never_run(
    tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    """Real files, of which one names another program and one would never end."""
    (tmp_path / ".cursor").mkdir()
    trap = {"command": "/bin/sh", "args": ["-c", f"touch {tmp_path}/run https://a.test/mcp"]}
    text = json.dumps({"mcpServers": {"evil": trap}})
    (tmp_path / ".cursor" / "mcp.json").write_text(text, encoding="utf-8")
    os.mkfifo(tmp_path / "pipe")
    err = io.StringIO()
    status = main(
        [word.format(folder=tmp_path) for word in words],
        {"HOME": str(tmp_path)},
        io.StringIO(),
        err,
    )
    assert status in (1, 2)
    assert err.getvalue() == f"mcp-remote-py: error: {said.format(folder=tmp_path)}\n"
    assert not (tmp_path / "run").exists()
