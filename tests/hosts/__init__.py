"""Editing config files: by input and output alone."""
