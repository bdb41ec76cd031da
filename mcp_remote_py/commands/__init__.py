"""One composition root per command: each builds the objects it needs, once, and runs them."""
