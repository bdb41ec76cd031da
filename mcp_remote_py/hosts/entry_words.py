"""The words behind our name in an entry, each with its option and with what kind of thing it is.

Must not know any option: what stands behind one is told by the placeholder of its value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from mcp_remote_py.settings.words import write_option

Placeholders = Mapping[str, str]
"""By the name of an option, what its value is called in the help; "" for a switch."""

URL_PLACE, PORT_PLACE = "URL", "PORT"
"""What the words of no option are called."""


class EntryWord(NamedTuple):
    """A word, or an option with its word."""

    option: str
    """Its name; "" for the URL and the port."""
    value: str
    """"" for a switch."""
    placeholder: str

    def write(self, value: str) -> tuple[str, ...]:
        """As it is written, with this value in the place of its own."""
        if self.option and self.placeholder:
            return write_option(self.option, value)
        return (self.option or value,)


def sort_words(words: Sequence[str], placeholders: Placeholders) -> list[EntryWord]:
    """Each word with what it is; an option that is not known is taken for a switch."""
    return list(_sort_each(words, placeholders))


def _sort_each(words: Sequence[str], placeholders: Placeholders) -> Iterator[EntryWord]:
    rest = list(words)
    has_url = False
    while rest:
        word = rest.pop(0)
        option, equals, value = word.partition("=")
        if option in placeholders:
            if not placeholders[option]:
                yield EntryWord(option, "", "")
            elif equals:
                yield EntryWord(option, value, placeholders[option])
            else:
                yield EntryWord(option, rest.pop(0) if rest else "", placeholders[option])
        elif word.startswith("--"):
            yield EntryWord(word, "", "")
        elif not has_url:
            has_url = True
            yield EntryWord("", word, URL_PLACE)
        else:
            yield EntryWord("", word, PORT_PLACE)


def join_words(words: Sequence[EntryWord]) -> tuple[str, ...]:
    """The words as they are written: the value behind its option."""
    return tuple(part for word in words for part in word.write(word.value))


def take_over(given: Sequence[EntryWord], old: Sequence[EntryWord]) -> list[EntryWord]:
    """The words that are given, and those of another entry for the same server beside them.

    An option that is given counts as it is given; of the old entry, it is gone.
    """
    named = {word.option for word in given}
    has_port = any(word.placeholder == PORT_PLACE for word in given)
    kept = [
        word
        for word in old
        if (word.option not in named if word.option else _is_kept(word, has_port))
    ]
    ports = [word for word in kept if not word.option]
    plain = [word for word in given if not word.option]
    return [
        *plain,
        *ports,
        *(word for word in given if word.option),
        *(word for word in kept if word.option),
    ]


def _is_kept(word: EntryWord, has_port: bool) -> bool:
    return word.placeholder == PORT_PLACE and word.value.isdigit() and not has_port
