"""Variables, commands, numbers, names and files become what they stand for, or one sentence."""

from __future__ import annotations

import pytest

from mcp_remote_py.errors import UsageError
from mcp_remote_py.settings.words import (
    UnsetVariable,
    check_filled,
    choose,
    expand_environment,
    expand_path,
    parse_positive_seconds,
    parse_seconds,
    parse_size,
    read_file_text,
    split_command,
)
from tests.settings.given import files

FORM = "Give a command that prints lines of the form Name: value."


class TestEnvironment:
    def test_variables_are_replaced_anywhere_and_only_once(self) -> None:
        environment = {"A": "1", "B": "${A}", "EMPTY": ""}
        assert expand_environment("x${A}y${B}z${EMPTY}", environment) == "x1y${A}z"
        assert (
            expand_environment("$A ${} $${A} {A} <token>", environment) == "$A ${} $1 {A} <token>"
        )

    @pytest.mark.promise("S4")
    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("Bearer ${TOKEN}", "${TOKEN}"),
            ("${input:api-key}", "${input:api-key}"),
            ("${input:token-2}", "${input:token-2}"),
            ("${sec ret!}", "A ${...}"),
            ("${sk_live_51H8xQ2eZvKYlo2C}", "A ${...}"),
            ("${NOTION_API_KEY_2}", "${NOTION_API_KEY_2}"),
        ],
    )
    def test_an_unset_variable_is_named_with_the_place_to_set_it(
        self, text: str, shown: str
    ) -> None:
        with pytest.raises(UsageError) as caught:
            expand_environment(text, {"OTHER": "x"})
        assert caught.value.sentence() == (
            f"{shown} is used, but no environment variable of that name is set. Set it; for an "
            'MCP host, in "env" of the server\'s entry: hosts pass few variables on.'
        )

    @pytest.mark.promise("S4")
    @pytest.mark.parametrize(
        ("text", "environment", "said"),
        [
            ("X:${A}", {"A": "Bearer ${input:a-b}"}, "${input:a-b} stands for a secret that only "),
            ("Bearer ${input:a-b}", {}, "${input:a-b} stands for a secret that only VS Code knows"),
            ("${A}", {"A": "${env:HOME}"}, "${env:HOME} stands for a value that the host of the "),
            ("${A}", {"A": "${input:sec ret}"}, "A ${...} stands for a secret that only VS Code "),
        ],
    )
    def test_what_only_a_host_fills_in_is_not_sent(
        self, text: str, environment: dict[str, str], said: str
    ) -> None:
        with pytest.raises(UsageError) as caught:
            check_filled(text, environment)
        assert caught.value.sentence().startswith(said)
        assert caught.value.hint == (
            "Start the entry in that host. To check the server from here, give its address and the"
            ' secret: mcp-remote-py check URL --header "Authorization: Bearer ${TOKEN}"'
        )

    def test_what_is_filled_in_passes(self) -> None:
        check_filled("X:${A} ${B}", {"A": "Bearer t", "B": "${C}"})
        check_filled("$input:a {input:b}", {})

    @pytest.mark.parametrize(
        ("text", "environment", "path"),
        [
            ("~/h.txt", {"HOME": "/home/x"}, "/home/x/h.txt"),
            ("~\\h.txt", {"USERPROFILE": "C:\\U"}, "C:\\U\\h.txt"),
            ("~", {"HOME": "/home/x"}, "/home/x"),
            ("~other/h", {"HOME": "/home/x"}, "~other/h"),
            ("~/h", {}, "~/h"),
            ("${D}/h", {"D": "/d"}, "/d/h"),
            ("h", {"HOME": "/home/x"}, "h"),
        ],
    )
    def test_file_names_are_expanded_as_a_shell_would(
        self, text: str, environment: dict[str, str], path: str
    ) -> None:
        assert expand_path(text, environment) == path


class TestCommand:
    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("gcloud auth print", ("gcloud", "auth", "print")),
            ("'a b' \"c d\" e\\ f", ("a b", "c d", "e f")),
            ("get $(whoami) `x` | cat # y", ("get", "$(whoami)", "`x`", "|", "cat", "#", "y")),
            ("get ${T} '${T}'", ("get", "a b", "a b")),
        ],
    )
    def test_a_command_is_split_without_a_shell(self, text: str, words: tuple[str, ...]) -> None:
        assert split_command(text, {"T": "a b"}, "--x", FORM) == words

    def test_backslashes_survive_on_windows(self) -> None:
        text = "\"C:\\Program Files\\t.exe\" C:\\x\\y 'a b'"
        words = ("C:\\Program Files\\t.exe", "C:\\x\\y", "a b")
        assert split_command(text, {}, "--x", FORM, windows=True) == words

    def test_an_open_quote_is_an_error(self) -> None:
        with pytest.raises(UsageError) as caught:
            split_command("get 'hunter22", {}, "--header-command", FORM)
        assert caught.value.sentence() == (
            '--header-command has a quote that is not closed. Close it; inside JSON write " as \\".'
        )

    def test_an_empty_command_is_an_error(self) -> None:
        with pytest.raises(UsageError) as caught:
            split_command(" ", {}, "--header-command", FORM)
        assert caught.value.sentence() == (
            "--header-command is empty. Give a command that prints lines of the form Name: value."
        )


class TestNumbers:
    @pytest.mark.parametrize(
        ("text", "seconds"), [("30", 30.0), ("0.5", 0.5), (".5", 0.5), ("0", 0.0), ("0.0", 0.0)]
    )
    def test_seconds(self, text: str, seconds: float) -> None:
        assert parse_seconds(text, "--x") == seconds

    @pytest.mark.parametrize(
        "text", ["", "-1", "nan", "inf", "1e5", "30s", "1_0", "٣", " 1", "1\n", "9" * 400]
    )
    def test_what_is_not_a_number_of_seconds(self, text: str) -> None:
        with pytest.raises(UsageError) as caught:
            parse_seconds(text, "--connect-timeout")
        assert caught.value.sentence() == (
            "--connect-timeout takes a number of seconds. For example 30 or 0.5; 0 means no limit."
        )

    def test_what_must_be_above_zero(self) -> None:
        assert parse_positive_seconds("2.5", "--x", "") == 2.5
        for text in ("0", "0.0", "soon", "-1", "", "9" * 400):
            with pytest.raises(UsageError) as caught:
                parse_positive_seconds(text, "--x", "Leave it out.")
            assert caught.value.sentence() == (
                "--x takes a number of seconds above 0. For example 60. Leave it out."
            )

    @pytest.mark.parametrize(
        ("text", "size"),
        [
            ("1000000", 1_000_000),
            ("128MiB", 134_217_728),
            ("50MB", 50_000_000),
            ("50 mb", 50_000_000),
            ("3kB", 3000),
            ("3KiB", 3072),
            ("2GB", 2_000_000_000),
            ("1gib", 1_073_741_824),
            ("7B", 7),
        ],
    )
    def test_sizes(self, text: str, size: int) -> None:
        assert parse_size(text, "--x") == size

    @pytest.mark.parametrize(
        "text", ["", "0", "-1", "1.5MB", "MB", "10 parsecs", "1e6", "٣", "9" * 16, "1M"]
    )
    def test_what_is_not_a_size(self, text: str) -> None:
        with pytest.raises(UsageError) as caught:
            parse_size(text, "--max-message-size")
        assert caught.value.sentence() == (
            "--max-message-size takes a size above 0. For example 128MiB, 50MB or 1000000 (bytes)."
        )

    def test_a_name_is_one_of_a_list(self) -> None:
        assert choose("b", "--x", ("a", "b")) == "b"
        for text in ("", "c", "ab"):
            with pytest.raises(UsageError) as caught:
                choose(text, "--x", ("a", "b"))
            assert caught.value.sentence() == "--x has an unknown value. Use one of: a, b."

    @pytest.mark.parametrize(
        ("text", "meant"),
        [("FILE", "file"), ("fiel", "file"), ("keyrng", "keyring"), ("es512", "ES512")],
    )
    def test_a_name_that_is_near_one_of_a_list_is_told_which(self, text: str, meant: str) -> None:
        with pytest.raises(UsageError) as caught:
            choose(text, "--x", ("keyring", "file", "ES512"))
        assert caught.value.sentence() == (
            f"--x has an unknown value. Did you mean {meant}? Use one of: keyring, file, ES512."
        )

    def test_a_code_is_not_another_one_mistyped(self) -> None:
        with pytest.raises(UsageError) as caught:
            choose("HS256", "--x", ("RS256", "ES256"))
        assert caught.value.sentence() == "--x has an unknown value. Use one of: RS256, ES256."

    def test_a_readable_file(self) -> None:
        assert read_file_text("h", "--header-file", files({"h": "x"})) == "x"

    @pytest.mark.promise("S4")
    def test_a_missing_file_is_named(self) -> None:
        with pytest.raises(UsageError) as caught:
            read_file_text("h.txt", "--header-file", files({}))
        assert caught.value.sentence() == (
            "--header-file: cannot read h.txt: No such file or directory. "
            "Give the full path of a file you may read."
        )

    @pytest.mark.promise("S2")
    @pytest.mark.parametrize(
        ("text", "shown"),
        [("ghp_hunter22hunter22hunter22", "ghp_****"), ("Authorization: hunter", "****")],
    )
    def test_a_token_in_place_of_a_file_is_not_repeated(self, text: str, shown: str) -> None:
        with pytest.raises(UsageError) as caught:
            read_file_text(text, "--header-file", files({}))
        assert caught.value.cause == (
            f"--header-file: cannot read {shown}: No such file or directory."
        )

    def test_an_error_without_words_is_named_by_its_kind(self) -> None:
        def read(path: str) -> str:
            raise TimeoutError

        with pytest.raises(UsageError, match="cannot read h: TimeoutError"):
            read_file_text("h", "--header-file", read)

    def test_a_file_that_is_not_text(self) -> None:
        def read(path: str) -> str:
            return b"\xff".decode()

        with pytest.raises(UsageError) as caught:
            read_file_text("h", "--header-file", read)
        assert caught.value.sentence() == (
            "--header-file: h is not a UTF-8 text file. Save it as plain UTF-8 text."
        )


@pytest.mark.parametrize(
    ("spelled", "plain"),
    [
        ("env:TOKEN2", "TOKEN2"),
        ("TOKEN2:-none", "TOKEN2"),
        ("input:my-id", "TOKEN"),
        ("a.b", "TOKEN"),
    ],
)
def test_a_variable_that_no_shell_can_set_is_told_in_our_spelling(spelled: str, plain: str) -> None:
    error = UnsetVariable("It is not set.").named(spelled).at_terminal("linux")
    assert error.sentence() == (
        f"It is not set. That is how a host spells it. Write ${{{plain}}} here, with that variable "
        'set, or the value in its place, as in --header "Authorization: Bearer TOKEN".'
    )


@pytest.mark.parametrize(
    ("platform", "command"), [("linux", 'export TOKEN="…"'), ("win32", '$env:TOKEN="…"')]
)
def test_how_a_variable_is_set_is_told_by_system(platform: str, command: str) -> None:
    error = UnsetVariable("It is not set.").named("TOKEN").at_terminal(platform)
    assert error.sentence().startswith(f"It is not set. Set it first: {command}, or write")
