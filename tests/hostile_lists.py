"""Lists just short enough to be looked into, and made to be dear to read.

Must not know who reads them, or how.
"""

from __future__ import annotations

from mcp_remote_py.bounds import LONG_BYTES

SIZE = LONG_BYTES - 1024
MANY = 990
"""Elements, a little below `MAX_MEMBERS`."""


def fill(head: bytes, unit: bytes, tail: bytes, size: int) -> bytes:
    return head + unit * ((size - len(head) - len(tail)) // len(unit)) + tail


def elements(head: bytes, unit: bytes, tail: bytes) -> bytes:
    """A list of `MANY`, each as long as may be."""
    return b"[%b]" % b",".join([fill(head, unit, tail, SIZE // MANY - 1)] * MANY)


SCHEMA = b'{"name":"a","inputSchema":{"x-mcp-header":0,"allOf":['
OUTPUT = b'{"name":"a","outputSchema":{"anyOf":['
LISTS = {
    "numbers": fill(b"[", b"0,", b"0]", SIZE),
    "nested": fill(b"[", b"[" * 99 + b"]" * 99 + b",", b"0]", SIZE),
    "lists of numbers": elements(b"[", b"0,", b"0]"),
    "lists of strings": elements(b"[", b'",",', b"0]"),
    "escapes": elements(b'["', rb"\n\"", b'"]'),
    "commas in strings": elements(b'["', b"},", b'"]'),
    "empty objects": elements(b"[", b"{},", b"0]"),
    "members": elements(b'{"name":"a"', b',"m":"01234"', b"}"),
    "hints": elements(b'{"name":"a","annotations":{"readOnlyHint":[', b'"01234567",', b"0]}}"),
    "marks": elements(SCHEMA, b'{"a":"01234567890123"},', b"0]}}"),
    "marks in strings": elements(SCHEMA, rb'"\n\n\n\n",', b"0]}}"),
    "references": elements(OUTPUT, b'{"$ref":"#/0123456789"},', b"0]}}"),
    "references inside each other": b'[{"name":"a","outputSchema":%b0%b}]'
    % (b'{"not":' * 60 + fill(b"[", b'{"$ref":"#"},', b'"', 9000), b'"]' + b"}" * 60),
    "a long text beside a reference": b'[{"name":"a","outputSchema":%b%b}]'
    % (b'{"not":' * 60, fill(b'[{"$ref":"#"},"', b"x", b'"]', SIZE) + b"}" * 60),
}
