"""What several tests of settings need: files that are not there, and a server."""

from __future__ import annotations

from collections.abc import Mapping

from mcp_remote_py.settings.urls import parse_server_url
from mcp_remote_py.settings.words import ReadText
from mcp_remote_py.url import ServerUrl


def files(texts: Mapping[str, str]) -> ReadText:
    """A `read_file` over `texts`; other paths are missing."""

    def read(path: str) -> str:
        if path not in texts:
            raise FileNotFoundError(2, "No such file or directory")
        return texts[path]

    return read


def server(url: str) -> ServerUrl:
    return parse_server_url(url, allow_http=True)
