"""All networks."""

from __future__ import annotations

from tests.interop.networks import rows_proxies, rows_servers

ALL = (*rows_proxies.ROWS, *rows_servers.ROWS)
