"""Every message of the host to the server and back, every request answered once."""
