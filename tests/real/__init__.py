"""Servers and hosts that people really use, none of them written here, against the real command.

What they are is pinned in `package-lock.json` and `requirements-fastmcp.txt`, which is made of
`fastmcp==4.1.2` (how: `tests/interop/aws/installation.py`); `installation` puts them into this
folder once. Everything runs on loopback.
"""
