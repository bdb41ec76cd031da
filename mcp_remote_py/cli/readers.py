"""The functions that make the value of an option of its word; the rows of `options` name them.

What few starts need is imported when it is read. Must not know any option.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping

from mcp_remote_py.errors import UsageError
from mcp_remote_py.settings import words
from mcp_remote_py.values import Value


class Reading(Value, frozen=True):
    """The circumstances in which the word of an option is read."""

    option: str
    environment: Mapping[str, str]
    allow_http: bool


Read = Callable[[str, Reading], object]
"""Makes the value of an option of its word; raises `UsageError`, which names the option."""


def keep_word(text: str, reading: Reading) -> str:
    """The word itself, where it says something."""
    if not text:
        raise UsageError(f"{reading.option} is empty.", hint="Give its value, or leave it out.")
    return text


def read_path(text: str, reading: Reading) -> str:
    """The name of a file."""
    path = words.expand_path(text, reading.environment)
    if not path:
        raise UsageError(
            f"{reading.option} is empty.", hint="Give the name of a file, or leave it out."
        )
    return path


def read_named_file(path: str) -> str:
    """The text of a file; a `ReadFile`."""
    from mcp_remote_py.named_files import read_named

    return read_named(path)


def choose_from(*names: str) -> Read:
    """One of these words."""
    return lambda text, reading: words.choose(text, reading.option, names)


def read_host(text: str, _: Reading) -> str:
    """What names a host that is known, or stands for all."""
    from mcp_remote_py.hosts.catalogue import ALL_HOSTS, find_host

    if text != ALL_HOSTS:
        find_host(text)
    return text


def read_limit(text: str, reading: Reading) -> float:
    """Seconds; 0 means no limit."""
    return words.parse_seconds(text, reading.option)


def read_positive_seconds(otherwise: str) -> Read:
    """Seconds above 0; `otherwise` says what there is without the option."""
    return lambda text, reading: words.parse_positive_seconds(text, reading.option, otherwise)


def read_size(text: str, reading: Reading) -> int:
    """Bytes."""
    return words.parse_size(text, reading.option)


def read_pattern(text: str, reading: Reading) -> str:
    """A pattern for names of tools."""
    if not text:
        raise UsageError(
            f"{reading.option} is empty.", hint="Give a tool's name, or a pattern with *."
        )
    return text


def read_metadata(text: str, reading: Reading) -> tuple[str, str]:
    """A member of `_meta`."""
    return words.parse_metadata(text, reading.option)


def read_aws_service(text: str, reading: Reading) -> str:
    """The signing name of a service; a few have capitals."""
    return words.parse_plain_name(text, reading.option, "lambda or execute-api")


def read_aws_region(text: str, reading: Reading) -> str:
    """The name of a region."""
    return words.parse_plain_name(text.lower(), reading.option, "us-east-1")


def read_aws_profile(text: str, reading: Reading) -> str:
    """The name of a profile: of a section in AWS's own files."""
    if not text or words.CONTROL.search(text):
        what = "is empty" if not text else "contains a control character"
        raise UsageError(
            f"{reading.option} {what}.", hint="`aws configure list-profiles` shows the names."
        )
    return text


def read_command(form: str) -> Read:
    """The words of a command; `form` says what to give instead of nothing."""
    return lambda text, reading: words.split_command(
        text, reading.environment, reading.option, form, windows=sys.platform == "win32"
    )


def read_header(text: str, reading: Reading) -> object:
    """A header."""
    from mcp_remote_py.settings.headers import parse_header

    return parse_header(text, reading.environment)


def take_header_file(text: str, reading: Reading) -> object:
    """A file of headers, read now and, after a 401, again."""
    from mcp_remote_py.named_files import read_settled
    from mcp_remote_py.settings.headers import HeaderFile, read_header_file

    name = read_path(text, reading)
    if os.path.exists(name) and not os.path.isfile(name):
        raise UsageError(
            f"{reading.option}: {name} is not a regular file.",
            hint="It is read again after a 401; for anything else use --header-command.",
        )
    return HeaderFile(name, read_header_file(name, reading.environment, read_settled))


def sign_in_words():  # its type is the module's own
    """The module that reads the words of a sign-in: few starts have one."""
    from mcp_remote_py.settings import sign_in_words

    return sign_in_words
