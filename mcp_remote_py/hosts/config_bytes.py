"""Bytes of a config file, and the text in them: UTF-8, maybe behind a mark.

The mark (BOM) is kept: some editors on Windows need it. UTF-16 is refused: no host reads it, so
whoever has such a file is told why the host does not take it. Must not know JSON or TOML.
"""

from __future__ import annotations

from mcp_remote_py.hosts.broken_config import BrokenConfig, find_position

MAX_CONFIG_BYTES = 16 * 1024 * 1024
"""Of a config file. Claude Code keeps its history in the same file, which was seen with 8 MB."""

UTF8_MARK = b"\xef\xbb\xbf"

_SAVE_AS_UTF8 = (
    "Nothing was changed. Open the file in an editor, save it as UTF-8, and run the command again."
)
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


def decode_config(content: bytes) -> tuple[bytes, str]:
    """The mark at the beginning, or b"", and the text behind it.

    Raises:
        BrokenConfig: it is not UTF-8, or too large.
    """
    if len(content) > MAX_CONFIG_BYTES:
        raise BrokenConfig(
            f"A config file has at most {MAX_CONFIG_BYTES // 2**20} MiB",
            "this one has more",
            hint="Nothing was changed. Check that it is the right file.",
        )
    if content and not content.strip(b"\0"):
        raise BrokenConfig(
            "A text is expected",
            "the file has only NUL bytes, as a machine leaves it that stopped while it wrote",
            hint="Nothing was changed. Put a copy of the file in its place, or delete it, and run "
            "the command again.",
        )
    if content.startswith(_UTF16_MARKS) or b"\0" in content[:2]:
        raise BrokenConfig("Hosts read UTF-8", "this file is stored as UTF-16", hint=_SAVE_AS_UTF8)
    mark = UTF8_MARK if content.startswith(UTF8_MARK) else b""
    try:
        return mark, content[len(mark) :].decode()
    except UnicodeDecodeError as error:
        before = content[len(mark) : len(mark) + error.start].decode()
        line, column = find_position(before, len(before))
        raise BrokenConfig(
            "A character in UTF-8 is expected",
            f"a byte that is not UTF-8 was found (0x{error.object[error.start]:02x})",
            line=line,
            column=column,
            hint=_SAVE_AS_UTF8,
        ) from None
