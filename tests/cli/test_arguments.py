"""Words are options, their values, or the URL, whatever stands between them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_remote_py.cli.arguments import Arguments, parse_arguments
from mcp_remote_py.cli.options import options_of
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
from mcp_remote_py.errors import UsageError

URL = "https://example.com/mcp"


def parse(*argv: str, command: str = PROXY) -> Arguments:
    return parse_arguments(command, argv)


@pytest.mark.report("T17")
@pytest.mark.parametrize("dash", ["\u2013", "\u2014", "\u2013\u2013", "\u2212\u2212", "\u2010-"])
def test_long_dash_of_a_text_editor_is_two_hyphens(dash: str) -> None:
    found = parse(URL, f"{dash}debug", f"{dash}header", "A: b", f"{dash}scope=a")
    assert found.options == {"--debug": [""], "--header": ["A: b"], "--scope": ["a"]}
    assert found.warnings == tuple(
        f"The long dash before {name} is taken for two hyphens."
        for name in ("debug", "header", "scope")
    )


@pytest.mark.promise("P2")
@pytest.mark.parametrize(
    ("argv", "options"),
    [
        (["--header", "A: b"], {"--header": ["A: b"]}),
        (["--header=A: b"], {"--header": ["A: b"]}),
        (["--header=A=b"], {"--header": ["A=b"]}),
        (["--resource="], {"--resource": [""]}),
        (["--resource", ""], {"--resource": [""]}),
        (["--header", "-A: b"], {"--header": ["-A: b"]}),
        (["--header", "--debug: b"], {"--header": ["--debug: b"]}),
        (["--header=--debug"], {"--header": ["--debug"]}),
        (["--header", "-"], {"--header": ["-"]}),
        (["--connect-timeout", "-5"], {"--connect-timeout": ["-5"]}),
        (["--connect-timeout", "-.5"], {"--connect-timeout": ["-.5"]}),
        (["--header", "A: b", "--header=C: d"], {"--header": ["A: b", "C: d"]}),
        (["--debug", "--debug"], {"--debug": [""]}),
    ],
)
def test_an_option_has_the_next_word_or_what_stands_behind_its_sign(
    argv: list[str], options: dict[str, list[str]]
) -> None:
    for words in ([URL, *argv], [*argv, URL], ["--ipv4", *argv, URL]):
        found = parse(*words)
        assert found.url == URL
        assert {name: found.options[name] for name in options} == options


@pytest.mark.parametrize(
    "argv",
    [
        ["--header"],
        ["--header", "--debug"],
        ["--header", "--"],
        ["--header", "-x"],
        ["--header", "--debug=1"],
        ["--initialize-timeout", "-5s"],
    ],
)
def test_an_option_is_not_the_value_of_another(argv: list[str]) -> None:
    with pytest.raises(UsageError, match=f"^{argv[0]} needs a value"):
        parse(URL, *argv)


def test_a_misspelled_option_is_named_whatever_is_in_its_value() -> None:
    with pytest.raises(UsageError, match=r"^Unknown option --headr\."):
        parse(URL, "--headr=A: hunter22")
    assert parse(URL, "--header", "--x=a: b").each("--header") == ["--x=a: b"]


def test_behind_two_hyphens_every_word_is_one() -> None:
    assert parse("--debug", "--", URL) == Arguments({"--debug": [""]}, URL)
    for words in (["--", "--browser=x", URL], [URL, "--", "-5", "a b"]):
        with pytest.raises(UsageError, match=r"^[23] arguments are given"):
            parse(*words)


@pytest.mark.report("E7")
def test_two_hyphens_behind_the_url_hide_no_option() -> None:
    found = parse(URL, "--", "--debug", "--header", "A: b", "3334")
    assert (found.options, found.port) == ({"--debug": [""], "--header": ["A: b"]}, "3334")
    assert found.warnings == ("Ignored: -- behind the server URL. Options follow it.",)


@pytest.mark.report("E7")
def test_of_several_words_the_first_counts_and_the_port_follows_the_url() -> None:
    found = parse("--scope", "a", URL, "--scope=b", "3334", "--debug", "--debug")
    assert (found.first("--scope"), found.each("--scope")) == ("a", ["a"])
    assert found.warnings == ("Ignored: --scope is given more than once. The first one counts.",)
    assert parse(URL, "--scope", "a", "--scope", "a").warnings == ()
    assert (found.url, found.port) == (URL, "3334")
    assert (found.first("--host"), found.has("--host"), found.each("--host")) == (None, False, ())


@pytest.mark.report("E7")
@pytest.mark.parametrize("name", ["--header", "--host"])
def test_a_blank_word_says_nothing_where_nothing_is_lost(name: str) -> None:
    found = parse(URL, name, " ", f"{name}=")
    assert (found.options, found.warnings) == ({}, (f"Ignored: {name} is empty.",) * 2)


@pytest.mark.report("E7")
def test_a_word_behind_a_switch_agrees_with_it_or_is_refused() -> None:
    found = parse(URL, "--debug", "true", "--ipv4", "YES", "3334")
    assert (found.options, found.port) == ({"--debug": [""], "--ipv4": [""]}, "3334")
    assert found.warnings == (
        "Ignored: true behind --debug, which takes no value.",
        "Ignored: yes behind --ipv4, which takes no value.",
    )
    with pytest.raises(UsageError) as refused:
        parse(URL, "--allow-http", "False")
    assert refused.value.sentence() == (
        "--allow-http takes no value, and is followed by false. "
        "Leave out both, where --allow-http is not wanted."
    )


@pytest.mark.parametrize("argv", [["--help"], ["-h"], ["--version"], [URL, "x", "--what", "-h"]])
def test_a_question_needs_nothing_else(argv: list[str]) -> None:
    found = parse(*argv)
    assert found.has("--help") or found.has("--version")
    assert found.url is None


def test_where_nothing_is_named_every_server_is_meant() -> None:
    assert parse(command=STATUS) == Arguments({})
    assert parse("--all", command=LOGOUT) == Arguments({"--all": [""]})
    assert parse(command=LOGOUT) == Arguments({}), "it names those that can be meant"
    for command in (PROXY, LOGIN):
        with pytest.raises(UsageError, match="The server URL is missing"):
            parse(command=command)


@pytest.mark.parametrize(
    "names",
    [
        ["mcp-remote-py"],
        ["uvx", "mcp-remote-py@0.1.0"],
        ["mcp-remote@latest"],
        ["mcp-remote-py==1"],
    ],
)
@pytest.mark.parametrize("command", [name for name in COMMANDS if name != UNINSTALL])
def test_the_arguments_of_an_entry_may_begin_with_the_programs_name(
    names: list[str], command: str
) -> None:
    name = ["math"] if command == INSTALL else []
    found = parse(*name, *names, URL, "--debug", command=command)
    said = "Ignored: the name of the program before the server URL."
    assert (found.url, found.port, found.warnings) == (URL, None, (said,))
    assert found.has("--debug")


def test_a_name_that_nothing_follows_is_not_the_programs() -> None:
    assert parse("mcp-remote-py").url == "mcp-remote-py"  # and is refused as a URL
    with pytest.raises(UsageError, match=r"^3 arguments are given"):
        parse(URL, "3334", "mcp-remote-py")


@pytest.mark.parametrize(
    ("command", "words", "name", "url", "port"),
    [
        (INSTALL, ["math", URL], "math", URL, None),
        (INSTALL, ["math", URL, "3334"], "math", URL, "3334"),
        (INSTALL, [URL, "math"], "math", URL, None),
        (INSTALL, ["--debug", "my server", URL], "my server", URL, None),
        (INSTALL, ["math", "example.com/mcp"], "math", "example.com/mcp", None),
        (UNINSTALL, ["math"], "math", None, None),
        (CHECK, ["math"], "math", None, None),
        (CHECK, [URL], None, URL, None),
        (CHECK, ["uvx", "mcp-remote-py", URL, "3334"], None, URL, "3334"),
    ],
)
def test_a_name_stands_before_the_url_or_alone(
    command: str, words: list[str], name: str | None, url: str | None, port: str | None
) -> None:
    found = parse(*words, command=command)
    assert (found.name, found.url, found.port) == (name, url, port)


MISSING = "The name of the entry is missing. For example: mcp-remote-py "
UNREADABLE_NAME = (
    "The name of the entry is empty, or has characters that cannot be shown. "
    "Choose a short name, such as math."
)


@pytest.mark.parametrize(
    ("command", "words", "said"),
    [
        (
            CHECK,
            [],
            "The address of the server, or the name of an entry, is missing. "
            "For example: mcp-remote-py check https://example.com/mcp",
        ),
        (INSTALL, [], f"{MISSING}install math https://example.com/mcp"),
        (INSTALL, [URL], f"{MISSING}install math https://example.com/mcp"),
        (INSTALL, [URL, "3334"], f"{MISSING}install math https://example.com/mcp"),
        (INSTALL, ["uvx", "mcp-remote-py", URL], f"{MISSING}install math https://example.com/mcp"),
        (INSTALL, ["ma\nth", URL], UNREADABLE_NAME),
        (
            INSTALL,
            ["math"],
            "The server URL is missing. Usage: mcp-remote-py install math https://example.com/mcp"
            " [options]",
        ),
        (
            INSTALL,
            ["example.com/mcp?key=hunter22"],
            "The server URL is missing. Usage: mcp-remote-py install math https://example.com/mcp"
            " [options]",
        ),
        (UNINSTALL, [], f"{MISSING}uninstall math"),
        (UNINSTALL, [" "], UNREADABLE_NAME),
        (
            UNINSTALL,
            [URL],
            "uninstall takes the name of an entry, not an address. "
            "Usage: mcp-remote-py uninstall NAME [options]",
        ),
    ],
)
def test_what_is_not_a_name_is_said(command: str, words: list[str], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(*words, command=command)
    assert caught.value.sentence() == said


def test_an_option_of_the_relay_counts_in_a_command_about_an_entry() -> None:
    assert parse("math", URL, "--read-only", command=INSTALL).has("--read-only")
    assert parse(URL, "--read-only", command=CHECK).has("--read-only")


WORDS = st.one_of(
    st.sampled_from([option.name for option in options_of(LOGIN)]),
    st.sampled_from(["--", "-", "-h", "--header=A: b", "--debug=1", "--what", URL, "3334", "-5"]),
    st.text("-=a: 1", max_size=6),
)


@pytest.mark.promise("S2")
@given(st.sampled_from(list(COMMANDS)), st.lists(WORDS, max_size=6))
def test_any_words_are_arguments_or_one_sentence(command: str, argv: list[str]) -> None:
    try:
        found = parse(*argv, command=command)
    except UsageError:
        return
    words = [word for values in found.options.values() for word in values if word]
    assert all(any(word in given for given in argv) for word in words)
    assert found.url is None or any(found.url in given for given in argv)
