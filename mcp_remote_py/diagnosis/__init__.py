"""What `check` has seen, and what it means: pure. Must not know sockets, HTTP or streams."""
