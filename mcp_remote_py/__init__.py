"""The local command that lets a stdio-only MCP host use a remote MCP server."""

__version__ = "0.1.0"
