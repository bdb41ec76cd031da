"""The command line: words in, settings to one command, one exit status out."""
