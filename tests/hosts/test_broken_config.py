"""What is broken in a config file is named by line and column, and nothing of it is repeated."""

from __future__ import annotations

import pytest

from mcp_remote_py.hosts.config_bytes import MAX_CONFIG_BYTES, decode_config
from mcp_remote_py.hosts.config_text import (
    BrokenConfig,
    Form,
    read_entries,
    remove_entry,
    set_entry,
)
from mcp_remote_py.hosts.json_source import (
    MAX_CONFIG_DEPTH,
    MAX_CONFIG_VALUES,
    MAX_INTEGER_DIGITS,
)

MEND = (
    "Nothing was changed. Open the file in an editor, mend that place, and run the command again."
)
SAVE = (
    "Nothing was changed. Open the file in an editor, save it as UTF-8, and run the command again."
)

LONG = "1" * 5000
DEEP = "b." * 2500 + "c"
QUOTED = "'b'." * 2500 + '"c"'
TOO_DEEP = (
    f"A config file has at most {MAX_CONFIG_DEPTH} names and brackets inside each other, but here"
    " is one more."
)

JSON_FAULTS = [
    ('{\n  "a": 1\n  "b": 2\n}', 3, 3, 'A comma or "}" is expected, but a string was found.'),
    ('{"é": [1 2]}', 1, 10, 'A comma or "]" is expected, but a number was found.'),
    ('{"a" 1}', 1, 6, "A colon is expected, but a number was found."),
    ('{"a": }', 1, 7, 'A value is expected, but "}" was found.'),
    ('{"a": 1,, "b": 2}', 1, 9, 'A name in double quotes or "}" is expected, but "," was found.'),
    ("{, }", 1, 2, 'A name in double quotes or "}" is expected, but "," was found.'),
    (
        "{\r\n  a: 1}",
        2,
        3,
        'A name in double quotes or "}" is expected, but a word without quotes was found.',
    ),
    (
        "{\r  'a': 1}",
        2,
        3,
        'A name in double quotes or "}" is expected, but a single quo'
        "te (JSON has double quotes) was found.",
    ),
    ('{"a": hunter2}', 1, 7, "A value is expected, but a word without quotes was found."),
    ('{"a": 01}', 1, 7, "A number of JSON is expected, but something else was found."),
    ('{"a": 0x1f}', 1, 7, "A number of JSON is expected, but something else was found."),
    ('{"a": 1.}', 1, 7, "A number of JSON is expected, but something else was found."),
    ('{"a": NaN}', 1, 7, "A value is expected, but a word without quotes was found."),
    ('{"a": truely}', 1, 7, "A value is expected, but a word without quotes was found."),
    ('{"a": +1}', 1, 7, "A value is expected, but the character U+002B was found."),
    (
        '{"a": "hunter2\n}',
        1,
        7,
        "A string ends on its line with a double quote, but this one does not.",
    ),
    (
        '{"a": "hunter2',
        1,
        7,
        "A string ends on its line with a double quote, but this one does not.",
    ),
    (
        '{"a": "C:\\temp\\x"}',
        1,
        15,
        "A backslash in a string is written twice (\\\\), but this one is not.",
    ),
    (
        '{"a": "x\ty"}',
        1,
        9,
        "A string does not have control characters, but one was found (U+0009).",
    ),
    ('{"a": 1', 1, 8, 'A comma or "}" is expected, but the end of the file was found.'),
    ('{"a": 1}}', 1, 9, 'The file ends here, but "}" was found.'),
    ('{"a": 1}\n\n{"b": 2}', 3, 1, 'The file ends here, but "{" was found.'),
    ('{"a": /* 1}', 1, 7, "A comment ends with */, but this one does not end."),
    (
        "{\n# mine\n}",
        2,
        1,
        'A name in double quotes or "}" is expected, but "#" (comment'
        "s begin with // or /*) was found.",
    ),
    ('{"a": 1}\u00a0', 1, 9, "The file ends here, but the character U+00A0 was found."),
    ("[]", 1, 1, 'An object ({ ... }) is expected, but "[" was found.'),
    ('{"s": ["hunter2"]}', 1, 7, 'An object ({ ... }) of "s" is expected, but "[" was found.'),
    (
        '{"s": null}',
        1,
        7,
        'An object ({ ... }) of "s" is expected, but a word without quotes was found.',
    ),
    ('{"s": "hunter2"}', 1, 7, 'An object ({ ... }) of "s" is expected, but a string was found.'),
    ('{"s": {"n": 7}}', 1, 13, 'An object ({ ... }) of "n" is expected, but a number was found.'),
    (
        '{"s": {},\n"b": 1, "\\u0073": {}}',
        2,
        9,
        '"s" is there twice (first in line 1; hosts use the last).',
    ),
    (
        '{"s": {"n": {},\n"n": {}}}',
        2,
        1,
        '"n" is there twice (first in line 1; hosts use the last).',
    ),
    (
        "[" * (MAX_CONFIG_DEPTH + 1),
        1,
        MAX_CONFIG_DEPTH + 1,
        f"A config file has at most {MAX_CONFIG_DEPTH} brackets inside"
        " each other, but here is one more.",
    ),
    (
        "[\n" + "0," * MAX_CONFIG_VALUES + "]",
        2,
        2 * MAX_CONFIG_VALUES - 1,
        f"A config file has at most {MAX_CONFIG_VALUES} values, but here is one more.",
    ),
]

TOML_FAULTS = [
    (
        "a = 1\nb 2\n",
        2,
        3,
        "An equals sign behind a name is expected, but something else was found.",
    ),
    ("a = 1\nb = \n", 2, 5, "A value is expected, but something else was found."),
    ("a = hunter2\n", 1, 5, "A value is expected, but something else was found."),
    ('a = "x', 1, 7, "A string ends with a quote, but the end of the file was found."),
    (
        'a = "hunter2\n',
        1,
        13,
        "A string ends on its line and does not have control characters, but something else was"
        " found.",
    ),
    ("[a\nb = 1", 1, 3, "A closing bracket is expected, but something else was found."),
    ("a = [1, 2\nb = 1", 2, 1, 'A comma or "]" is expected, but something else was found.'),
    ("a = { b = 1\n}", 1, 12, 'A comma or "}" is expected, but something else was found.'),
    ("[a]\n[a]\n", 2, 1, "A table is there once, but it is there again."),
    ("a = 1\na = 2\n", 2, 1, "A name is there once in a table, but it is there again."),
    (
        'a = "\\q"',
        1,
        6,
        "A backslash in double quotes is written twice (\\\\), but something else was found.",
    ),
    *(
        (
            text,
            line,
            column,
            "A backslash in double quotes is written twice (\\\\), but something else was found.",
        )
        for text, line, column in (
            ('a = "x\\', 1, 7),
            ('a = 1\r\nb = "\\\r\n"', 2, 6),
            ('a = """\\   q\n"""', 1, 8),
        )
    ),
    *(
        (
            text,
            line,
            column,
            f"A number has at most {MAX_INTEGER_DIGITS} digits, but a longer one was found.",
        )
        for text, line, column in (
            (f"a = {LONG}", 1, 5),
            (f"a = -{LONG} # why", 1, 5),
            (f"'a{LONG}' = '{LONG}'\n{LONG} = 1 # {LONG}\r\n'é' = {LONG}\nf = {LONG}", 3, 7),
            (f'a = [0x{LONG}, {LONG}.5, 1e5, """\n{LONG}""",\n  1_{LONG},\n]', 3, 3),
            (f"a = {{ {LONG} = '\"', 7.{LONG} = 1, c = {LONG} }}", 1, 10_027),
            (f"{LONG}.a = 1979-05-27\n[b{LONG}]\nb = [[{LONG}", 3, 7),
        )
    ),
    (
        "a = 1\n'[' = '[' # [\nb = " + "[" * 5000,
        3,
        MAX_CONFIG_DEPTH + 5,
        TOO_DEEP,
    ),
    *(
        (
            text,
            line,
            column,
            TOO_DEEP,
        )
        for text, line, column in (
            (f"[a]\n{DEEP} = 1", 2, 1),
            (f"x = '{DEEP}'\n[{DEEP}]", 2, 1),
            (f'b = [{"0.5," * 200}]\na = {{ "{DEEP}" = 1, {DEEP} = 2 }} # {DEEP}', 2, 5215),
            (f"a = {{ {QUOTED} = 1 }}", 1, 406),
            (f"a = {{ b = 0.5, c . {QUOTED} = 1 }}", 1, 415),
            ("a = [" + "{ b.c = " * 60 + "1" + " }" * 60 + "]", 1, 401),
        )
    ),
    ("a = 1 b = 2", 1, 7, "The end of the line is expected, but something else was found."),
    ("= 1", 1, 1, "A name or a table in brackets is expected, but something else was found."),
    ("a = {}\n[a.b]", 2, 1, "A table is there once, but it is there again."),
    ("s = 'hunter2'", 1, 5, 'A table "s" is expected, but something else was found.'),
    ("[[s]]\nn = 1", 1, 1, 'A table "s" is expected, but something else was found.'),
    ("[s]\nn = 1", 2, 5, 'A table "n" is expected, but something else was found.'),
    ("s.m = 2\ns.n = 1", 2, 7, 'A table "n" is expected, but something else was found.'),
    ("s = { n = 1 }", 1, 5, 'A table "n" is expected, but something else was found.'),
]


@pytest.mark.parametrize(
    ("form", "text", "line", "column", "words"),
    [(Form.JSON, *row) for row in JSON_FAULTS] + [(Form.TOML, *row) for row in TOML_FAULTS],
    ids=[row[0][:20] for row in JSON_FAULTS + TOML_FAULTS],
)
def test_what_is_broken_is_said_with_its_place(
    form: Form, text: str, line: int, column: int, words: str
) -> None:
    with pytest.raises(BrokenConfig) as caught:
        set_entry(text.encode(), form, ("s",), "n", {"command": "c"})
    error = caught.value
    place = f"Line {line}, column {column}: " if line else ""
    assert (error.line, error.column, error.cause) == (line, column, place + words)
    assert error.hint == (
        "Nothing was changed. Delete one of them, and run the command again."
        if "use the last" in words
        else MEND
    )
    assert "hunter2" not in error.sentence()


def test_the_file_is_named() -> None:
    with pytest.raises(BrokenConfig) as caught:
        read_entries(b"{\n]", Form.JSON, ())
    named = caught.value.in_file("/x/mcp.json")
    assert named.sentence() == (
        '/x/mcp.json, line 2, column 1: A name in double quotes or "}" is expected, but "]" was'
        f" found. {MEND}"
    )
    assert (type(named), named.line, named.column) == (BrokenConfig, 2, 1)
    whole = BrokenConfig("Hosts read UTF-8", "it is not").in_file("/x/mcp.json")
    assert whole.cause == "/x/mcp.json: Hosts read UTF-8, but it is not."


def test_a_nul_in_a_short_text_is_not_taken_for_utf_16() -> None:
    content = b'a="\0"'
    assert decode_config(content) == (b"", content.decode())  # what is wrong with it TOML says


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize(
    ("content", "line", "column", "words"),
    [
        ("{}".encode("utf-16"), 0, 0, "Hosts read UTF-8, but this file is stored as UTF-16."),
        ("{}".encode("utf-16-be"), 0, 0, "Hosts read UTF-8, but this file is stored as UTF-16."),
        (b"\xfe\xff\0{\0}", 0, 0, "Hosts read UTF-8, but this file is stored as UTF-16."),
        (
            b'\xef\xbb\xbf{\r\n"\xc3\xa9\xe9": 1}',
            2,
            3,
            "A character in UTF-8 is expected, but a byte that is not UTF-8 was found (0xe9).",
        ),
    ],
)
def test_other_encodings_are_refused(
    form: Form, content: bytes, line: int, column: int, words: str
) -> None:
    with pytest.raises(BrokenConfig) as caught:
        read_entries(content, form, ())
    assert (caught.value.line, caught.value.column) == (line, column)
    assert caught.value.cause.endswith(words)
    assert caught.value.hint == SAVE


def test_file_that_a_crash_has_emptied_is_told_to_be_so() -> None:
    with pytest.raises(BrokenConfig) as caught:
        read_entries(b"\0" * 40, Form.JSON, ())
    assert caught.value.sentence() == (
        "A text is expected, but the file has only NUL bytes, as a machine leaves it that stopped "
        "while it wrote. Nothing was changed. Put a copy of the file in its place, or delete it, "
        "and run the command again."
    )


def test_a_file_has_a_largest_size() -> None:
    assert read_entries(b" " * MAX_CONFIG_BYTES, Form.JSON, ()) == {}
    with pytest.raises(BrokenConfig) as caught:
        read_entries(b" " * (MAX_CONFIG_BYTES + 1), Form.JSON, ())
    assert caught.value.sentence() == (
        "A config file has at most 16 MiB, but this one has more."
        " Nothing was changed. Check that it is the right file."
    )


def test_for_reading_the_last_of_a_name_counts_as_for_hosts() -> None:
    content = b'{"s": {"a": 1}, "s": {"b": 1, "b": 2}}'
    assert read_entries(content, Form.JSON, ("s",)) == {"b": 2}
    assert read_entries(content, Form.JSON, ("t",)) == {}


def test_what_is_twice_elsewhere_does_not_matter() -> None:
    content = b'{"x": 1, "x": 2, "s": {"a": 1, "a": 2, "n": {}}}'
    assert remove_entry(content, Form.JSON, ("s",), "n") == (
        b'{"x": 1, "x": 2, "s": {"a": 1, "a": 2}}'
    )
    with pytest.raises(BrokenConfig, match='"a" is there twice'):
        remove_entry(content, Form.JSON, ("s",), "a")
