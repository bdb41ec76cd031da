"""The keys in the environment: which there are, and what is wrong with them."""

from __future__ import annotations

import pytest

from mcp_remote_py.aws.keys import AwsKeys, find_flaw, read_environment
from mcp_remote_py.errors import UsageError
from mcp_remote_py.redact import Secret

ID, KEY, TOKEN = (
    "AKIADESKEXAMPLE12345",
    "wJalrXUtnFEMI/K7MDENG+bPxRfi=",
    "IQoJb3JpZ2luX2VjEXAMPLE==",
)


def environment(**members: str) -> dict[str, str]:
    return {"AWS_ACCESS_KEY_ID": ID, "AWS_SECRET_ACCESS_KEY": KEY, **members}


def test_the_keys_that_are_set() -> None:
    assert read_environment(environment()) == AwsKeys(ID, Secret(KEY))


@pytest.mark.parametrize("name", ["AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"])
def test_temporary_keys_have_a_token_under_two_names(name: str) -> None:
    keys = read_environment(environment(**{name: TOKEN}))
    assert keys == AwsKeys(ID, Secret(KEY), Secret(TOKEN))


def test_of_two_tokens_the_one_with_the_newer_name_counts() -> None:
    both = environment(AWS_SESSION_TOKEN=TOKEN, AWS_SECURITY_TOKEN="older")
    assert read_environment(both) == AwsKeys(ID, Secret(KEY), Secret(TOKEN))
    blank = environment(AWS_SESSION_TOKEN=" ", AWS_SECURITY_TOKEN="older")
    assert read_environment(blank) == AwsKeys(ID, Secret(KEY), Secret("older"))


@pytest.mark.parametrize(
    ("written", "at"),
    [
        ("2026-11-30T12:00:00+00:00", 1796040000.0),
        ("2026-11-30T12:00:00Z", 1796040000.0),
        ("2026-11-30T13:00:00+01:00", 1796040000.0),
        ("2026-11-30T12:00:00", 1796040000.0),
        ("20261130T120000Z", 1796040000.0),
        ("tomorrow", None),
        ("", None),
    ],
)
def test_the_end_of_the_keys_where_it_is_said(written: str, at: float | None) -> None:
    keys = read_environment(environment(AWS_CREDENTIAL_EXPIRATION=written))
    assert keys is not None
    assert keys.expires_at == at


@pytest.mark.parametrize("blank", ["", " ", "\n", "\ufeff", '""', "' '"])
def test_a_blank_is_not_a_key(blank: str) -> None:
    assert read_environment({}) is None
    assert read_environment({"AWS_ACCESS_KEY_ID": blank, "AWS_SECRET_ACCESS_KEY": blank}) is None
    assert read_environment({"AWS_SESSION_TOKEN": TOKEN}) is None


@pytest.mark.parametrize("around", ['"{}"', "'{}'", " {}\n", "{}\r\n", "\u201c{}\u201d", ' "{}" '])
def test_what_an_editor_or_a_shell_leaves_around_is_taken_off(around: str) -> None:
    given = environment(
        AWS_ACCESS_KEY_ID=around.format(ID),
        AWS_SECRET_ACCESS_KEY=around.format(KEY),
        AWS_SESSION_TOKEN=around.format(TOKEN),
    )
    assert read_environment(given) == AwsKeys(ID, Secret(KEY), Secret(TOKEN))


def refuse(given: dict[str, str]) -> tuple[str, str]:
    with pytest.raises(UsageError) as caught:
        read_environment(given)
    told = f"{caught.value.cause} {caught.value.hint}"
    for value in given.values():
        assert len(value) < 4 or value not in told
    return caught.value.cause, caught.value.hint


@pytest.mark.parametrize("blank", [None, "", "  "])
def test_one_key_without_the_other(blank: str | None) -> None:
    rest = {} if blank is None else {"AWS_SECRET_ACCESS_KEY": blank}
    hint = "Set both; or neither, for the keys of a profile: --aws-profile NAME."
    assert refuse({"AWS_ACCESS_KEY_ID": ID, **rest}) == (
        "AWS_ACCESS_KEY_ID is set, and AWS_SECRET_ACCESS_KEY is not.",
        hint,
    )
    assert refuse({"AWS_SECRET_ACCESS_KEY": KEY}) == (
        "AWS_SECRET_ACCESS_KEY is set, and AWS_ACCESS_KEY_ID is not.",
        hint,
    )


NAMES = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", ["abcd efgh", "abcd\tefgh", "abcd\nefgh", "abcdé", "ab\x00cd"])
def test_what_no_key_has_in_it(name: str, value: str) -> None:
    assert refuse(environment(**{name: value})) == (
        f"{name} contains a blank or another character that no key of AWS has.",
        "Copy it again, on one line, without anything around it.",
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_host_that_does_not_put_variables_in(name: str) -> None:
    assert refuse(environment(**{name: "${AWS_KEY}"})) == (
        f"{name} is the name of a variable, and not its value.",
        "This host does not put variables in here: write the value itself, or leave it out and use "
        "--aws-profile NAME.",
    )


@pytest.mark.parametrize("secret_key", [KEY, "wJalrXUtnFEMIxK7MDENGxbPxRfiCYEXAMPLEKEY"])
def test_a_secret_key_in_the_place_of_the_id(secret_key: str) -> None:
    """A quarter of all secret keys have only characters that an id may have, too."""
    assert refuse({"AWS_ACCESS_KEY_ID": secret_key, "AWS_SECRET_ACCESS_KEY": ID}) == (
        "AWS_ACCESS_KEY_ID has a value that cannot be an access key id, or AWS_SECRET_ACCESS_KEY "
        "has one that is.",
        "An id is like AKIAIOSFODNN7EXAMPLE: look whether the two have changed places.",
    )


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("AWS_ACCESS_KEY_ID", 128),
        ("AWS_SECRET_ACCESS_KEY", 128),
        ("AWS_SESSION_TOKEN", 16384),
    ],
)
def test_a_value_that_is_too_long(name: str, limit: int) -> None:
    assert read_environment(environment(**{name: "a" * limit})) is not None
    assert refuse(environment(**{name: "a" * (limit + 1)})) == (
        f"{name} is longer than {limit} characters, and no key of AWS is.",
        "Look whether it is the right variable.",
    )


def test_keys_are_not_shown() -> None:
    shown = repr(read_environment(environment(AWS_SESSION_TOKEN=TOKEN)))
    assert ID in shown
    assert KEY not in shown
    assert TOKEN not in shown


def test_temporary_keys_without_their_token() -> None:
    temporary = "ASIADESKEXAMPLE12345"
    assert refuse(environment(AWS_ACCESS_KEY_ID=temporary, AWS_SESSION_TOKEN=" ")) == (
        "AWS_ACCESS_KEY_ID is that of temporary keys, and AWS_SESSION_TOKEN is not set.",
        "Copy all three: temporary keys are nothing without their token.",
    )
    given = environment(AWS_ACCESS_KEY_ID=temporary, AWS_SESSION_TOKEN=TOKEN)
    assert read_environment(given) == AwsKeys(temporary, Secret(KEY), Secret(TOKEN))
    assert read_environment(environment(AWS_ACCESS_KEY_ID="ASIATEMP")) is not None


@pytest.mark.parametrize(
    ("parts", "flaw"),
    [
        ((ID, KEY, None), ""),
        ((ID, KEY, ""), ""),
        ((ID, KEY, TOKEN), ""),
        ((5, KEY, None), "the access key id is not a text"),
        ((ID, ["canary"], None), "the secret access key is not a text"),
        ((ID, None, None), "the secret access key is not a text"),
        (("", KEY, None), "the access key id is empty"),
        ((ID, "", None), "the secret access key is empty"),
        ((f'"{ID}"', KEY, None), "the access key id contains a character that none has"),
        ((f"{ID}/20261130, X", KEY, None), "the access key id contains a character that none has"),
        ((ID, f"{KEY}\n", None), "the secret access key contains a character that none has"),
        ((ID, KEY, "a\r\nx-evil: 1"), "the session token contains a character that none has"),
        ((ID, KEY, "caf\u00e9"), "the session token contains a character that none has"),
        ((ID, KEY, "\ud800"), "the session token contains a character that none has"),
        ((ID, "x" * 129, None), "the secret access key is longer than 128 characters"),
        ((ID, KEY, "x" * 16385), "the session token is longer than 16384 characters"),
    ],
)
def test_what_a_file_or_a_program_gives_may_not_be_keys(
    parts: tuple[object, object, object], flaw: str
) -> None:
    assert find_flaw(*parts) == flaw
