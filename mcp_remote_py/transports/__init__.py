"""The I/O shell towards the host (stdio) and towards the server (HTTP)."""
