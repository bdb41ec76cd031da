"""Windows and macOS, played here: every branch of the package that a platform decides."""
