"""Hosts as people have them, started with what `install` wrote into their own file.

`scripts/test --interop --installed KEYS`, or `all`: they are more than 1 GB, so they are not in the
gate.
"""
