"""The files that are kept between two starts: sealed credentials, and state without secrets."""
