"""The import graph is as planned, and starting costs no import that is not needed.

Looks at real interpreters from outside. Must not import mcp_remote_py itself.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

ALLOWED = {"httptools", "idna", "msgspec", "typing_extensions"}
"""What relaying may import from others: HTTP parser, IDNA, the JSON codec with what it pulls."""

PACKAGE = Path(__file__).parent.parent / "mcp_remote_py"

SLOW = {"email", "http.client", "http.server", "urllib.request"}
"""Modules of the standard library that cost 10 ms and more and that a relay does not need."""

RARE = {
    *("argparse", "difflib", "gettext", "json"),
    *("bz2", "lzma", "platformdirs", "random", "shutil", "stringprep", "tempfile"),
    *(["glob"] if sys.version_info < (3, 13) else []),  # then pathlib itself loads it
    *(f"mcp_remote_py.cli.{name}" for name in ("help", "mistakes", "read_sign_in", "read_stored")),
    *(f"mcp_remote_py.cli.{name}" for name in ("completion", "questions", "streams")),
    "mcp_remote_py.settings.sign_in_words",
    *("mcp_remote_py.bridge.merging", "mcp_remote_py.merged_list", "mcp_remote_py.mending"),
    *("mcp_remote_py.bridge.conversations", "mcp_remote_py.bridge.listening"),
    *("mcp_remote_py.eras.conversation", "mcp_remote_py.net.proxy_refusals"),
    *(f"mcp_remote_py.transports.{name}" for name in ("legacy_sse", "pages", "refusal")),
    *("mcp_remote_py.aws", "mcp_remote_py.signing", "mcp_remote_py.settings.aws"),
    *("mcp_remote_py.checking", "mcp_remote_py.diagnosis"),
    *("mcp_remote_py.cli.read_aws", "mcp_remote_py.transports.signed"),
    *("mcp_remote_py.hosts", "mcp_remote_py.installing", "mcp_remote_py.settings.entry"),
    *("mcp_remote_py.cli.read_install", "mcp_remote_py.commands.install"),
}
"""What is for help, for mistakes, for a sign-in, for servers that refuse, or are of another era or
transport, for rare options and for other commands."""

OF_SIGN_INS = {
    *("authlib", "email", "h11", "html", "http", "httpcore", "httpx", "keyring", "shutil"),
    *(f"mcp_remote_py.oauth.{name}" for name in ("discovery", "flow", "grants", "sign_in")),
    *(f"mcp_remote_py.signin.{name}" for name in ("browser", "callback", "fetch", "page")),
    "mcp_remote_py.signin.refresh_process",
}
"""What only a sign-in, a renewal or a keyring needs. With it a start took 800 million instructions
and 44 MB, and takes 460 and 36 without."""

STORED_SIGN_IN = """
import os, sys
from mcp_remote_py.credentials.keys import choose_store
from mcp_remote_py.credentials.session_files import SessionFile, state_directory
from mcp_remote_py.oauth.steps import Client, Credential
from mcp_remote_py.redact import Secret
from mcp_remote_py.session_id import SessionId

folder, session = state_directory(os.environ), SessionId(sys.argv[1])
credential = Credential(
    "https://login.example", "https://login.example/token", Client("id", "static"),
    access_token=Secret("canary"), obtained_at=1e9, expires_at=1e11,
)
choose_store("file", folder, os.urandom).save(session.key, credential)
SessionFile(folder, session).update(signed_in_at=1e9)
"""
"""A program: somebody has signed in at the server that it is told."""

PATIENCE = 30
"""Seconds for one interpreter."""

INITIALIZE = (
    b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25",'
    b'"capabilities":{},"clientInfo":{"name":"test","version":"1"}}}\n'
)


def imports_of(
    *arguments: str, stdin: bytes = b"", starts: int = 1, first: Sequence[str] = ()
) -> tuple[set[str], subprocess.CompletedProcess[bytes]]:
    """The modules that the last of so many starts loads, beyond what is always loaded.

    `first` are the words of a start before them.
    """
    done = run(*arguments, stdin=stdin, starts=starts, first=first)
    return modules_in(done.stderr) - modules_in(run("-c", "pass").stderr), done


def run(
    *arguments: str, stdin: bytes = b"", starts: int = 1, first: Sequence[str] = ()
) -> subprocess.CompletedProcess[bytes]:
    every = [first] * bool(first) + [arguments] * starts
    with TemporaryDirectory() as state:
        done = [
            subprocess.run(
                [sys.executable, "-X", "importtime", *words],
                input=stdin,
                capture_output=True,
                env={**os.environ, "MCP_REMOTE_CONFIG_DIR": state},
                timeout=PATIENCE,
                check=False,
            )
            for words in every
        ]
    assert not first or done[0].returncode == 0, words_of(done[0])
    return done[-1]


def modules_in(report: bytes) -> set[str]:
    """The names in a report of `-X importtime`; it also tells of attempts that found nothing."""
    names = {
        line.rpartition("|")[2].strip()
        for line in report.decode(errors="replace").splitlines()
        if line.startswith("import time:")
    } - {"imported package"}
    installed = {top for top in map(top_of, names) if is_installed(top)}
    return {name for name in names if top_of(name) in installed}


def words_of(done: subprocess.CompletedProcess[bytes]) -> str:
    """What the program itself said on stderr."""
    lines = done.stderr.decode(errors="replace").splitlines()
    return "\n".join(line for line in lines if not line.startswith("import time:"))


def top_of(name: str) -> str:
    return name.partition(".")[0]


def is_installed(top: str) -> bool:
    return top in sys.builtin_module_names or importlib.util.find_spec(top) is not None


def third_parties(modules: set[str]) -> set[str]:
    return {top_of(name) for name in modules} - sys.stdlib_module_names - {"mcp_remote_py"}


@contextmanager
def server_without_session() -> Generator[str]:
    """A server that answers `initialize` with JSON and takes everything else: its URL."""
    answer = (
        b'{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25","capabilities":{},'
        b'"serverInfo":{"name":"plain","version":"1"}}}'
    )

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            is_request = b'"initialize"' in body
            self.send_response(200 if is_request else 202)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer) if is_request else 0))
            self.end_headers()
            if is_request:
                self.wfile.write(answer)

        def do_GET(self) -> None:
            self.send_error(405)

        def log_message(self, format: str, *args: object) -> None:
            """Keeps the test's output clean."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/mcp"
        finally:
            server.shutdown()
            thread.join(PATIENCE)


def test_the_import_graph_keeps_its_contracts() -> None:
    command = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [command, "--no-logo", "--no-cache"],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_relay_imports_only_what_is_listed() -> None:
    modules, done = imports_of("-c", "import mcp_remote_py.commands.relaying")
    assert done.returncode == 0, words_of(done)
    assert third_parties(modules) <= ALLOWED
    assert not modules & SLOW


def test_the_connection_begins_before_what_relays_is_loaded() -> None:
    modules, done = imports_of("-c", "import mcp_remote_py.commands.proxy")
    assert done.returncode == 0, words_of(done)
    assert "mcp_remote_py.net.early" in modules
    assert not modules & {"asyncio", "httptools", "ssl", "mcp_remote_py.commands.relaying"}


@pytest.mark.parametrize("starts", [1, 2])
def test_relaying_with_a_header_imports_nothing_more(starts: int) -> None:
    """TLS, keyring, sign-in and browser are loaded when they are needed: here they are not.

    Nor is what only writes, where the server says what it has said before.
    """
    with server_without_session() as url:
        words = ("-m", "mcp_remote_py", url, "--header", "Authorization: Bearer canary")
        modules, done = imports_of(*words, stdin=INITIALIZE, starts=starts)
    assert starts == 1 or "pathlib" not in modules
    assert b'"plain"' in done.stdout, words_of(done)
    assert third_parties(modules) <= ALLOWED
    assert not modules & SLOW
    assert not modules & RARE


def test_a_start_with_a_stored_sign_in_loads_nothing_that_signs_in() -> None:
    """Ten relays of a desktop have one each, and all they do with it is to send a token."""
    with server_without_session() as url:
        words = ("-m", "mcp_remote_py", url, "--token-store", "file")
        before = ("-c", STORED_SIGN_IN, url)
        modules, done = imports_of(*words, stdin=INITIALIZE, first=before)
    assert b'"plain"' in done.stdout, words_of(done)
    assert "mcp_remote_py.signin.agent" in modules
    assert not modules & {*OF_SIGN_INS, *SLOW}


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_a_question_to_the_command_line_loads_no_network(option: str) -> None:
    modules, done = imports_of("-m", "mcp_remote_py", option)
    assert done.returncode == 0, words_of(done)
    assert done.stdout.strip()
    assert third_parties(modules) <= {"msgspec", "typing_extensions"}  # which settings are made of
    assert not modules & {"asyncio", "socket", "ssl", *SLOW}


def test_a_start_saves_a_module_that_msgspec_can_do_without() -> None:
    """Whoever needs it later loads it all the same."""
    name = "typing_extensions"
    words = f"import sys, mcp_remote_py.__main__; print({name!r} in sys.modules); import {name}"
    done = run("-c", words)
    assert (done.returncode, done.stdout.split()) == (0, [b"False"]), words_of(done)


def test_the_report_of_imports_tells_found_from_missing_modules() -> None:
    report = b"import time:  1 |  2 |   json\nimport time:  1 | 2 | no_such_module_anywhere\nother"
    assert modules_in(report) == {"json"}


def test_types_are_decoded_by_decoders_that_are_made_at_import() -> None:
    """Where two threads meet a type that neither has seen, msgspec 0.22 ends the process."""
    assert [one for path in PACKAGE.rglob("*.py") for one in types_met_late(path)] == []


def types_met_late(path: Path) -> Iterator[str]:
    """The lines in functions of that file where msgspec is given a type."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    module = ast.parse(path.read_text("utf-8"))
    for function in filter(lambda node: isinstance(node, functions), ast.walk(module)):
        for node in ast.walk(function):
            if not isinstance(node, ast.Call):
                continue
            name = ast.unparse(node.func)
            is_typed = any(keyword.arg == "type" for keyword in node.keywords)
            if name == "msgspec.json.Decoder" or (name == "msgspec.json.decode" and is_typed):
                yield f"{path.name}:{node.lineno}"
