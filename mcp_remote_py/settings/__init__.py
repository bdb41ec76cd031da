"""The checked wishes of a person: frozen values, and the functions that read them from words.

The environment comes in as a mapping, files through a function `read_file(path) -> text`. A
person's mistake is a `UsageError`, and no error repeats a header's value, user info or a query:
any of them may be a token. Nothing here knows argparse, `os.environ`, nor how anything is sent.
"""
