"""What hostile servers, networks, people and disks try, from outside: real processes and sockets.

One file a family of `tests/reports.py`. Floods are measured in seconds of a CPU and bytes of memory
of the command's own process (`measure`), never in seconds of a clock alone.
"""
