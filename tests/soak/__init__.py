"""Long runs of the real command: an hour of faults, and many relays on one sign-in."""
