"""The shells around the translators, between a written host and a written server."""
