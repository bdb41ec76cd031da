"""The official conformance suite against the command: an exam that no one here wrote."""
