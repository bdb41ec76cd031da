"""The MCP SDKs' own test suites, played through the command.

The Python SDK ships its suite with its source on PyPI; it is fetched, never copied into this
project. The TypeScript SDK does not ship tests: what is shown of it are programs of ours on it.
"""
