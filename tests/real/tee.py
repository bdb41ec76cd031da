"""Stands between a host and its command and writes down what crosses: `tee.py FOLDER COMMAND...`.

`FOLDER/to-command` and `FOLDER/to-host` hold the bytes of each direction, unchanged.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path


def copy(source: int, target: int, record: Path) -> None:
    """Copies until the end of `source`, then closes `target`."""
    with record.open("ab", buffering=0) as file:
        while data := os.read(source, 65536):
            file.write(data)
            view = memoryview(data)
            while view:
                view = view[os.write(target, view) :]
    os.close(target)


def main(folder: Path, command: list[str]) -> int:
    """Runs the command between the two copies; returns its exit status."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        to_command = (0, os.dup(process.stdin.fileno()), folder / "to-command")
        process.stdin.close()
        threading.Thread(target=copy, args=to_command, daemon=True).start()
        copy(process.stdout.fileno(), 1, folder / "to-host")
        return process.wait()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
