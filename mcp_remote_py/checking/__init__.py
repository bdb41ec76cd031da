"""The steps of `check`: what asks the network and the disk, and hands what came to `diagnosis`."""
