"""A server that begins with `initialize`, as a host of 2026-07-28 sees it."""
