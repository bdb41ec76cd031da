"""Servers and hosts that people really use, none of them written here, against the real command.

What they are is pinned in `package-lock.json` and `requirements-fastmcp.txt`; `installation` puts
them into this folder once. Everything runs on loopback.
"""
