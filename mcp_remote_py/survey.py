"""Checks a JSON text in slices, and finds where its members or elements are.

The decoder checks a text in one go, and nothing else happens meanwhile: a tenth of a second for
50 MB. So a long text is cut into slices, and each is completed to a text of its own: brackets that
are open where it begins are opened in front of it, and closed behind it. The decoder judges that.
Nothing is believed that it has not read. Pure. Must not know what a member means.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple, TypeVar

import msgspec

from mcp_remote_py.bounds import MAX_MEMBERS, MAX_MENDED_BYTES

T = TypeVar("T")

SURVEY_BYTES = 64 * 1024
"""Some milliseconds, whatever is in it."""

FIRST_BYTES = 2 * 1024
"""Bytes of a value that may be a small one."""

MAX_GROWTH = 8
"""Slices that are taken as one where they lack commas and strings: blanks, or one number."""

MAX_NAME_BYTES = 64 * 1024
"""Bytes of a member's name at the top, with the blanks around it."""

MEMBERS_OF_A_STEP = 100
"""Small members that are passed in one step: 2 ms."""

MAX_SHIFT = 14
"""Bytes by which a cut moves out of an escape: two of six bytes may be one character."""

MAX_PASSES = 8
"""Over the brackets of a slice, each takes the innermost pairs away."""

_BLANKS = rb"[ \t\r\n]*+"
_BEGIN = re.compile(_BLANKS + rb"\{" + _BLANKS + rb"(\}?)")
_NAME = re.compile(
    _BLANKS + rb'("[^"\\]*+(?:\\.[^"\\]*+)*+")' + _BLANKS + rb":" + _BLANKS, re.DOTALL
)
_BEGIN_ARRAY = re.compile(_BLANKS + rb"\[" + _BLANKS + rb"(\]?)")
_NEXT_ELEMENT = re.compile(_BLANKS + rb"([,\]])" + _BLANKS)
_NEXT = re.compile(_BLANKS + rb"([,}])")
_REST = re.compile(_BLANKS)
_TRAILING = re.compile(r"trailing characters \(byte (\d+)\)")
_AT_BYTE = re.compile(r"\(byte (\d+)\)")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_CLOSING = bytes.maketrans(b"[{", b"]}")

_decode = msgspec.json.Decoder(msgspec.Raw).decode
_decode_name = msgspec.json.Decoder(str).decode


class TooMany(msgspec.ValidationError):
    """A text has more members than are made into objects here."""


Wanted = Mapping[str, "Wanted"]
"""MemberPlaces whose own members are wanted too, where they are objects."""


class MemberPlaces(NamedTuple):
    """The places of the members of an object."""

    places: list[tuple[str, slice]]
    """Each name with the value's place, also what is there twice."""
    inner: dict[str, MemberPlaces]
    """Of the wanted members: of what is there twice, the last one. One that is not an object, or
    has more than `MAX_MEMBERS` members, is not here."""


class Layout(NamedTuple):
    """The places of the parts of a text."""

    members: MemberPlaces
    mended: list[tuple[int, bytes]]
    """Mended parts, which could not be read, with the place of each; as long as they were. None
    of a text above `MAX_MENDED_BYTES`."""


def survey_object(
    text: bytes,
    mend: Callable[[bytes], bytes],
    wanted: Wanted = MappingProxyType({}),
    slice_bytes: int = SURVEY_BYTES,
) -> Generator[None, None, Layout]:
    """The members of the object `text`, which is UTF-8; yields after each slice.

    `mend` makes readable what the decoder refuses and others read, without changing its length.

    Raises:
        msgspec.DecodeError: it is not JSON; the words are the decoder's, or like them.
        TooMany: it has more than `MAX_MEMBERS` members.
        RecursionError: it is nested too deeply.
    """
    reader = _Reader(text, mend, slice_bytes)
    members = MemberPlaces([], {})
    at, is_over = reader.begin(_BEGIN, 0)
    while not is_over:
        name = reader.match(_NAME, at)
        if len(members.places) == MAX_MEMBERS:
            raise TooMany(f"it has more than {MAX_MEMBERS} members")
        end = yield from reader.pass_member(name, members, wanted)
        after = reader.match(_NEXT, end)
        at, is_over = after.end(), after[1] == b"}"
    yield from reader.pass_blanks(at)
    return Layout(members, reader.mended)


def survey_array(
    text: bytes,
    mend: Callable[[bytes], bytes],
    at_most: int,
    slice_bytes: int = SURVEY_BYTES,
) -> Generator[None, None, list[slice]]:
    """The places of the elements of the array `text`, which is UTF-8; yields after each slice.

    Of an array with more than `at_most` elements, one more than that; the rest is not looked at.

    Raises: as `survey_object`, where it is not JSON.
    """
    reader = _Reader(text, mend, slice_bytes)
    elements: list[slice] = []
    at, is_over = reader.begin(_BEGIN_ARRAY, 0)
    while not is_over:
        end = yield from reader.pass_value(at)
        elements.append(slice(at, end))
        if len(elements) > at_most:
            return elements
        yield
        after = reader.match(_NEXT_ELEMENT, end)
        at, is_over = after.end(), after[1] == b"]"
    yield from reader.pass_blanks(at)
    return elements


def _malformed(words: str, at: int) -> msgspec.DecodeError:
    return msgspec.DecodeError(f"JSON is malformed: {words} (byte {at})")


class _Place(NamedTuple):
    """The place of a cut in the grammar: in which arrays and objects, behind what, in a string."""

    opened: bytes = b""
    string: bytes = b""
    """`:` in a member's name, `"` in any other string."""
    is_start: bool = False

    def before(self) -> bytes:
        """A text that leads here."""
        if self.is_start:
            return b""
        outer = self.opened[:-1].replace(b"{", b'{"":')
        inner = self.opened[-1:]
        if self.string == b":":
            return outer + b'{"'
        value = b'"' if self.string else b"0"
        return outer + (b'{"":' if inner == b"{" else inner) + value

    def after(self) -> bytes:
        """A text that leads from here to the end."""
        string = b'":0' if self.string == b":" else self.string
        return string + self.opened[::-1].translate(_CLOSING)


_BEGINNING = _Place(is_start=True)


class _Reader:
    def __init__(self, text: bytes, mend: Callable[[bytes], bytes], slice_bytes: int) -> None:
        self._text = text
        self._mend = mend
        self._slice = slice_bytes
        self.mended: list[tuple[int, bytes]] = []

    def match(self, pattern: re.Pattern[bytes], at: int) -> re.Match[bytes]:
        found = pattern.match(self._text, at, at + MAX_NAME_BYTES)
        if found is None:
            raise _malformed("invalid character", at)
        return found

    def begin(self, pattern: re.Pattern[bytes], at: int) -> tuple[int, bool]:
        """The place where the first member or element may be, and whether it is missing."""
        begin = self.match(pattern, at)
        return begin.end(), bool(begin[1])

    def pass_member(
        self, name: re.Match[bytes], members: MemberPlaces, wanted: Wanted
    ) -> Generator[None, None, int]:
        """Notes a member; the end of its value, which begins behind `name`."""
        mended = self._mend(name[1])
        try:
            text = _decode_name(mended)
        except msgspec.DecodeError:
            raise _malformed("invalid name", name.start()) from None
        if mended != name[1]:
            self._keep(name.start(1), mended)
        at = name.end()
        members.inner.pop(text, None)
        if text in wanted and self._text[at : at + 1] == b"{":
            end, inner = yield from self._pass_object(at, wanted[text])
            if inner is not None:
                members.inner[text] = inner
        else:
            end = yield from self.pass_value(at)
        members.places.append((text, slice(at, end)))
        if len(members.places) % MEMBERS_OF_A_STEP == 0:
            yield
        return end

    def _pass_object(
        self, at: int, wanted: Wanted
    ) -> Generator[None, None, tuple[int, MemberPlaces | None]]:
        """The end of an object inside, and its members; None where they are too many.

        What is not as it should be is left to `pass_value`, which tells the decoder's words.
        """
        # Not `survey_object`'s loop: that one ends with an error, this one goes on by `pass_value`.
        members = MemberPlaces([], {})
        begin = _BEGIN.match(self._text, at, at + MAX_NAME_BYTES)
        if begin is None:
            return (yield from self.pass_value(at)), None
        if begin[1]:
            return begin.end(), members
        end, start = at, begin.end()
        while True:
            name = _NAME.match(self._text, start, start + MAX_NAME_BYTES)
            if name is None or len(members.places) == MAX_MEMBERS:
                break
            end = yield from self.pass_member(name, members, wanted)
            after = _NEXT.match(self._text, end, end + MAX_NAME_BYTES)
            if after is None:
                break
            if after[1] == b"}":
                return after.end(), members
            start = after.end()
        place = _Place(b"{") if members.places else _BEGINNING
        return (yield from self.pass_value(end, place)), None

    def pass_blanks(self, at: int) -> Iterator[None]:
        """Nothing else may follow."""
        while at < len(self._text):
            rest = self.match(_REST, at).end()
            if rest == at:
                raise _malformed("trailing characters", at)
            at = rest
            yield

    def _keep(self, at: int, mended: bytes) -> None:
        if len(self._text) <= MAX_MENDED_BYTES:
            self.mended.append((at, mended))

    def pass_value(self, at: int, place: _Place = _BEGINNING) -> Generator[None, None, int]:
        """The end of the value that begins, or goes on with `place`, at `at`."""
        size = min(FIRST_BYTES, self._slice)
        while True:
            piece = self._text[at : at + size]
            step = _take(place, piece)
            if step is None:
                # With what follows: it may be the other half of the last character.
                mended = self._mend(self._text[at : at + size + MAX_SHIFT])[:size]
                if mended != piece and (step := _take(place, mended)) is not None:
                    self._keep(at, mended[: step.length])
            if step is None:
                if at + size >= len(self._text) or size >= MAX_GROWTH * self._slice:
                    raise _explain(place, piece, at)
                size *= 2
                yield
                continue
            at, size = at + step.length, self._slice
            if step.place is None:
                return at - step.length + len(piece[: step.length].rstrip(b" \t\r\n"))
            place = step.place
            yield


def _explain(place: _Place, piece: bytes, at: int) -> msgspec.DecodeError:
    """The error that says why nothing of `piece`, which begins at `at`, can be read."""
    before = place.before()
    try:
        _decode(before + piece)
    except msgspec.DecodeError as error:
        return msgspec.DecodeError(
            _AT_BYTE.sub(lambda found: f"(byte {int(found[1]) + at - len(before)})", str(error))
        )
    return _malformed("invalid number", at)


class _Step(NamedTuple):
    """Bytes that were read, and where that leads; None where the value is over."""

    length: int
    place: _Place | None


def _take(place: _Place, piece: bytes) -> _Step | None:
    """The part of `piece`, which goes on at `place`, that is a whole; None for nothing."""
    before = place.before()
    if place.string and (step := _cut_string(before, piece, len(piece), [place])) is not None:
        return step  # all of it is inside of the string
    # An escaped backslash first: what is left of a quote's escape begins with a single one.
    bare = piece
    if b"\\" in piece:
        bare = piece.replace(rb"\\", b"").replace(rb"\"", b"")
    alike = None if place.string or place.is_start else _cut_records(place, before, piece)
    if alike is not None:
        return alike
    end = _find_end(before, piece)
    if end is not None:
        return _Step(end, None)
    in_string = (bare.count(b'"') + bool(place.string)) % 2 == 1
    comma, quote = piece.rfind(b","), piece.rfind(b'"')
    if in_string:
        cut = len(piece)
    elif comma > quote:
        cut, bare = comma, bare[: bare.rfind(b",")]
    else:
        cut, bare, in_string = quote, bare[: bare.rfind(b'"')], True
    if cut <= 0:
        return None
    opened = _follow(place.opened, b"".join(bare.split(b'"')[bool(place.string) :: 2]))
    if opened.translate(None, b"[{"):
        return None  # the value ends before the cut, behind something that cannot be read yet
    if not in_string:
        there = _Place(opened)
        more = b',"":0' if opened.endswith(b"{") else b",0"
        return _Step(cut, there) if _reads(before + piece[:cut] + more + there.after()) else None
    kinds = [b'"', b":"] if opened.endswith(b"{") else [b'"']
    return _cut_string(before, piece, cut, [_Place(opened, kind) for kind in kinds])


def _cut_records(place: _Place, before: bytes, piece: bytes) -> _Step | None:
    """Cuts behind the last `}` before a comma, if that is where most long texts can be cut.

    Those are lists of objects, one like the other, and `place` is behind one or in one.
    """
    length = piece.rfind(b"},") + 1
    for opened in (place.opened, place.opened[:-1]) if length else ():
        there = _Place(opened)
        if opened and _reads(before + piece[:length] + there.after()):
            return _Step(length, there)
    return None


def _cut_string(before: bytes, piece: bytes, cut: int, places: list[_Place]) -> _Step | None:
    """Cuts in a string, at `cut` or so few bytes earlier that no character is cut."""
    first = max(cut - MAX_SHIFT, 0)
    likely = piece.rfind(b"\\", first, cut)
    for length in (*([likely] if likely > 0 else []), *range(cut, first, -1)):
        for place in places:
            if _reads(before + piece[:length] + place.after()):
                return _Step(length, place)
    return None


def _reads(text: bytes) -> bool:
    try:
        _decode(text)
    except msgspec.DecodeError:
        return False
    return True


def _find_end(before: bytes, piece: bytes) -> int | None:
    """The end of the value in `piece`; None where it does not end there."""
    try:
        _decode(before + piece)
    except msgspec.DecodeError as error:
        found = _TRAILING.search(str(error))
        return None if found is None else int(found[1]) - 1 - len(before)
    return None if not before and piece[:1] not in b'{["' else len(piece)


def _follow(opened: bytes, outside: bytes) -> bytes:
    """The brackets that are open after a text in which `opened` were; its strings are left out."""
    brackets = opened + outside.translate(None, _NO_BRACKETS)
    for _ in range(MAX_PASSES):
        left = brackets.replace(b"[]", b"").replace(b"{}", b"")
        if len(left) == len(brackets):
            return left
        brackets = left
    still_open = bytearray()
    for bracket in brackets:
        if bracket in b"[{":
            still_open.append(bracket)
        elif still_open:
            still_open.pop()
    return bytes(still_open)
