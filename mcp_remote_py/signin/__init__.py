"""The I/O shell of signing in: listener, browser, and the agent that performs a flow's steps."""
