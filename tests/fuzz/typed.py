"""What a person types, and the files that are named there: headers, command lines, clients.

What is said of it is one printable line without a secret; what means something means the same where
it is written down and read again. Must not know corpora.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TypeVar

from mcp_remote_py.cli.arguments import Arguments, parse_arguments
from mcp_remote_py.cli.options import OPTIONS
from mcp_remote_py.cli.program import COMMANDS, LOGIN, PROXY, QUESTIONS
from mcp_remote_py.cli.questions import answer_question
from mcp_remote_py.cli.read import read_settings
from mcp_remote_py.cli.read_install import read_relay
from mcp_remote_py.errors import HEADER_EXAMPLE, McpRemoteError, UsageError, one_line
from mcp_remote_py.named_files import read_named, read_settled
from mcp_remote_py.oauth.client_authentication import (
    METHODS,
    PRIVATE_KEY_JWT,
    other_authentications,
    post_form,
)
from mcp_remote_py.oauth.metadata import ServerMetadata
from mcp_remote_py.oauth.static_client import read_static_client
from mcp_remote_py.oauth.steps import AnyStep, Client, Fetch, HttpResponse, ReadNamedFile
from mcp_remote_py.oauth.unattended import read_assertion
from mcp_remote_py.redact import MASK, scrub_known
from mcp_remote_py.settings.certificates import check_tls
from mcp_remote_py.settings.commands import ProxySettings
from mcp_remote_py.settings.headers import (
    MAX_HEADERS,
    parse_header,
    parse_header_lines,
    parse_header_source,
    read_header_file,
)
from mcp_remote_py.settings.network import Tls
from mcp_remote_py.settings.sign_in import SignInSettings
from mcp_remote_py.settings.sign_in_words import (
    parse_client,
    parse_client_metadata,
    parse_private_key,
)
from mcp_remote_py.settings.unattended import Unattended, WorkloadJwt
from mcp_remote_py.settings.words import expand_environment, expand_path
from mcp_remote_py.signin.driver import read_secret
from mcp_remote_py.tls import try_files
from tests.fuzz.cuts import choose, split_off
from tests.fuzz.signing_in import MAX_SENTENCE, forgetting
from tests.oauth.player import play

T = TypeVar("T")

# ------------------------------------------------------------------ headers

CANARY = "canary-8fj2kd92m"
ENVIRONMENT = {
    "T": CANARY,
    "E": "",
    "B": " \t",
    "CR": f"{CANARY}\r\nX-B: c",
    "N": "X-Name",
    "NUL": "\0",
}


def check_headers(data: bytes) -> None:
    """A header of one line, or a sentence that does not have the value in it."""
    text = data.decode("utf-8", "surrogateescape")
    for environment in (ENVIRONMENT, None):
        _check_header(text, environment)
        try:
            headers = parse_header_lines(text, environment, "--header-file mine.txt")
        except UsageError as error:
            check_shown(error, text)
        else:
            assert len(headers) <= MAX_HEADERS
            for header in headers:
                check_pair(header.name, header.value.reveal())
    try:
        expanded = expand_environment(text, ENVIRONMENT)
    except UsageError as error:
        check_shown(error, text)
    else:
        if "${" not in text:
            assert expanded == text
        with forgetting():
            expand_path(text, ENVIRONMENT)


def _check_header(text: str, environment: dict[str, str] | None) -> None:
    try:
        header = parse_header(text, environment)
    except UsageError as error:
        check_shown(error, text)
        return
    check_pair(header.name, header.value.reveal())
    if "${" not in text or environment is None:
        name, _, value = text.partition(":")
        assert (header.name, header.value.reveal()) == (name.strip(" \t"), value.strip(" \t"))


def check_pair(name: str, value: str) -> None:
    line = f"{name}: {value}".encode("latin-1")
    assert not set(line) & {*range(9), *range(10, 32), 127}
    assert re.fullmatch(r"[!#-'*+.^_`|~0-9A-Za-z-]+", name)
    assert value
    assert value == value.strip(" \t")


def check_shown(error: UsageError, text: str) -> None:
    sentence = error.sentence()
    assert sentence.isprintable()
    assert CANARY not in sentence
    # Not what we may say ourselves: the name of a header or of a variable, and the example.
    said = [HEADER_EXAMPLE, *(line.partition(":")[0] for line in text.split("\n"))]
    for line in text.split("\n"):
        value = line.partition(":")[2].strip()
        if len(value) >= 8 and "${" not in line and not any(value in one for one in said):
            assert value not in sentence, "a value is shown"


# ------------------------------------------------------------------ command lines

TYPED = "canary/8fj2+kd92m="
"""A secret in the words themselves: neither a scheme, a host nor the name of an option."""

HOME = "/nobody/is/here"

ENVIRONMENTS: tuple[dict[str, str], ...] = (
    {**ENVIRONMENT, "HOME": HOME},
    {"HOME": HOME},
    {**ENVIRONMENT, "HOME": HOME, "AWS_REGION": "eu-west-1", "AWS_PROFILE": "work"},
    {"HOME": HOME, "HTTPS_PROXY": f"http://ann:{CANARY}@proxy.example:8080"},
)

_NAMES_FILE = re.compile(r"cannot (?:read|write) (?:[.~/\\]|[A-Za-z]:[/\\])")
"""Of a word that begins at a root or with a dot, all is shown."""

_SECRET_VALUES = ("HEADER", "COMMAND", "JSON", "URL", "URI")
"""Placeholders of options whose values are not shown as they are."""


def check_command_line(data: bytes) -> None:
    """Settings, or one sentence; an entry and a `login` made of it mean the same.

    The words are as the system has them: any bytes but NUL, which ends one.
    """
    way, content = split_off(data)
    argv = [word.decode("utf-8", "surrogateescape") for word in content.split(b"\0")]
    environment = choose(way, *ENVIRONMENTS)
    with forgetting():
        try:
            said = [one_line(warning) for warning in _read_line(argv, environment)]
        except McpRemoteError as error:
            said = [error.sentence()]
        for sentence in said:
            check_said(scrub_known(sentence))


def check_said(sentence: str) -> None:
    """One printable line of bounded length without a secret."""
    assert sentence.isprintable()
    assert len(sentence) <= MAX_SENTENCE + len(HOME)
    if not _NAMES_FILE.search(sentence):
        assert CANARY not in sentence
        assert TYPED not in sentence


def _read_line(argv: list[str], environment: Mapping[str, str]) -> list[str]:
    """What is warned of."""
    first = argv[0]
    if first in QUESTIONS:
        assert answer_question(first, argv[1:], 80, str).endswith("\n")
        return []
    command = first if first in COMMANDS else PROXY
    arguments = parse_arguments(command, argv if command == PROXY else argv[1:])
    if any(map(arguments.has, ("--help", "--help-all", "--version"))):
        return []
    settings, warnings = read_settings(command, arguments, environment)
    if isinstance(settings, ProxySettings) and command == PROXY:
        _check_written(argv, arguments, settings, environment)
    return warnings


def _check_written(
    argv: list[str],
    arguments: Arguments,
    settings: ProxySettings,
    environment: Mapping[str, str],
) -> None:
    """What a person is told to write down, or to type, and what `install` writes."""
    options = arguments.options
    plain = [word for name in options for word in options[name] if _is_shown(name)]
    if not any(TYPED in word or CANARY in word for word in plain):
        for word in (*settings.entry_words, settings.sign_in.login_options):
            assert TYPED not in word
            assert CANARY not in word
    if not all(_is_stable(name, word) for name in options for word in options[name]):
        return
    entry = read_relay(argv, environment)
    again = _must_read(lambda: read_relay(entry.words, environment))
    assert again.words == entry.words
    assert again.relay == entry.relay
    login = settings.sign_in.login_options
    if MASK in login or settings.aws is not None or settings.sign_in.token_store == "memory":
        return
    words = [entry.words[0], *shlex.split(login)]
    told, _ = _must_read(lambda: read_settings(LOGIN, parse_arguments(LOGIN, words), environment))
    assert isinstance(told, ProxySettings)
    assert told.network == settings.network
    assert _without_page(told.sign_in) == _without_page(settings.sign_in)


def _must_read(read: Callable[[], T]) -> T:
    """What we wrote ourselves is not a mistake of the person."""
    try:
        return read()
    except UsageError as error:
        raise AssertionError(error.sentence()) from error


def _is_shown(name: str) -> bool:
    return OPTIONS[name].value not in _SECRET_VALUES


def _is_stable(name: str, word: str) -> bool:
    """Not what has quotes inside its quotes, nor what one line does not hold."""
    return OPTIONS[name].take_off(word) == word == one_line(word)


def _without_page(settings: SignInSettings) -> SignInSettings:
    """All but how the page is opened, and the words that say so."""
    return settings.replace(browser=None, paste=False, login_options="")


# ------------------------------------------------------------------ named files


def check_named_files(data: bytes) -> None:
    """A file says what its text says where it is given itself, or is refused in one sentence."""
    with tempfile.TemporaryDirectory() as folder, forgetting():
        path = Path(folder) / "named.txt"
        path.write_bytes(data)
        try:
            text = data.decode().removeprefix("\ufeff")
        except UnicodeDecodeError:
            text = None
        for read, read_text in _readers(str(path)):
            found = _outcome_of(read, folder)
            if text is None:
                assert isinstance(found, str)
                assert "is not a UTF-8 text file" in found
            elif read_text is not None and not text.startswith("@"):
                expected = _outcome_of(partial(read_text, text), folder)
                assert _bare(found, str(path)) == _bare(expected, str(path))


def _readers(path: str) -> Iterator[tuple[Callable[[], object], Callable[[str], object] | None]]:
    """Whoever reads that file, and whoever reads its text, where it can be given itself."""

    def read_jwt() -> object:
        return play(read_assertion(Unattended(WorkloadJwt(path))), _read_for_step)

    def read_at_rest(name: str) -> str:
        return read_settled(name, lambda: os.stat(name).st_mtime + 60)

    yield (
        lambda: read_header_file(path, ENVIRONMENT, read_at_rest),
        lambda text: parse_header_source(text, ENVIRONMENT, f"--header-file {path}"),
    )
    for parse in (parse_client, parse_client_metadata):
        yield (
            partial(parse, f"@{path}", ENVIRONMENT, read_named),
            partial(parse, environment=ENVIRONMENT, read_file=_no_files),
        )
    yield lambda: parse_private_key(path, {}, read_named), None
    yield lambda: _use(Tls(ca_certs=(path,))), None
    yield lambda: _use(Tls(client_cert=path)), None
    yield read_jwt, None


def _read_for_step(step: AnyStep) -> object:
    assert isinstance(step, ReadNamedFile)
    return read_secret(step)


def _use(tls: Tls) -> None:
    check_tls(tls, read_named)
    try_files(tls)


def _no_files(path: str) -> str:
    raise FileNotFoundError(2, "No such file or directory")


def _outcome_of(read: Callable[[], object], folder: str) -> object:
    """The value, or the sentence of the refusal."""
    try:
        return read()
    except UsageError as error:
        check_said(error.sentence().replace(folder, ""))
        return error.sentence()


def _bare(outcome: object, path: str) -> object:
    return outcome.replace(f": {path}", "") if isinstance(outcome, str) else outcome


# ------------------------------------------------------------------ static clients

ENDPOINT = "https://login.example/t"
REDIRECT_URI = "http://localhost:3334/oauth/callback"
SERVERS = tuple(
    ServerMetadata(
        "https://login.example",
        "https://login.example/a",
        ENDPOINT,
        token_endpoint_auth_methods=one,
    )
    for one in (None, ("none",), ("client_secret_post",), ("client_secret_basic",))
)


def check_static_client(data: bytes) -> None:
    """What is taken at the start is a client at the sign-in, and can prove itself in each way."""
    text = data.decode("utf-8", "surrogateescape")
    with forgetting():
        try:
            given = parse_client(text, ENVIRONMENT, _no_files)
        except UsageError as error:
            check_said(error.sentence())
            return
        if "${" not in given.reveal():
            assert parse_client(given.reveal(), ENVIRONMENT, _no_files) == given
        settings = SignInSettings(static_client=given)
        for server in SERVERS:
            for uris in ((), (REDIRECT_URI,)):
                try:
                    client = read_static_client(given, server, uris, settings)
                except UsageError as error:
                    check_late_refusal(error)
                    continue
                _check_client(client)
                assert client.client_id == json.loads(given.reveal())["client_id"]
                assert client.client_secret is None or client.client_secret in settings.secrets


def check_late_refusal(error: UsageError) -> None:
    """It is about the server, not about what could have been said at the start."""
    check_said(error.sentence())
    assert "is not a JSON object" not in error.sentence()


def _check_client(client: Client) -> None:
    assert client.client_id
    assert client.token_endpoint_auth_method in (*METHODS, PRIVATE_KEY_JWT)
    for each in (client, *other_authentications(client)):
        sent = play(post_form(each, ENDPOINT, "grant_type=a"), _check_request)
        assert sent.status == 200


def _check_request(step: AnyStep) -> object:
    """What travels is text of a header and of a form, whatever the person wrote."""
    assert isinstance(step, Fetch)
    assert step.request.url == ENDPOINT
    for _, value in step.request.headers:
        assert re.fullmatch("[ -~]+", value.reveal())
    assert step.request.body is not None
    assert re.fullmatch("[!-~]+", step.request.body.reveal())
    return HttpResponse(200, {}, b"{}")
