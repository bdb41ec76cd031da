"""Changes on this machine that let a host start us."""
