"""JSON values that a decoder and an encoder would not give back as they were.

Whatever is not ours to write must come out with these bytes. Must not know any module.
"""

from __future__ import annotations

EXACT = (
    b"12345678901234567890123",
    b"9" * 5000,
    b"1.0",
    b"-0.0",
    b"1E+3",
    b"1e999",
    rb'"\u0041\/\u00e9"',
    '"é\u2028"'.encode(),
    b'{"b":1,"a":[ 1 , {"z":2.50} ],"b":2}',
    b"null",
)
