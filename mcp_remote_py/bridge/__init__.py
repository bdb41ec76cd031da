"""The shells around the era translators: what they decide is done here, on sockets and in time."""
