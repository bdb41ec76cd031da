"""All networks."""

from __future__ import annotations

from tests.interop.networks import rows_proxies

ALL = (*rows_proxies.ROWS,)
