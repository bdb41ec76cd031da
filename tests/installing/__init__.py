"""Writing config files: real files, links and processes."""
