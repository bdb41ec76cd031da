"""HTTP/1.1 on plain asyncio sockets: connections, what is said on them, and what goes wrong."""
