r"""Installs the third-party programs of the AWS rows, each lock into an environment of its own.

They contradict each other: `mcp-proxy-for-aws` 1.7.0 wants `mcp` below 2, the Lambda tool server
2.1.1 wants 2 and more. Must not know what is done with them.

By hand: `python -m tests.interop.aws.installation`. The locks are renewed with uv:

    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
        --no-annotate --no-emit-index-url --no-emit-find-links - -o requirements-aws.txt

from `moto[server]==5.2.5` and `awslabs.lambda-tool-mcp-server==2.1.1` on stdin, and
`requirements-aws-proxy.txt` from `mcp-proxy-for-aws==1.7.0`.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.real.installation import NotInstalled, digest, is_current, run

HERE = Path(__file__).parent.parent


@dataclass(frozen=True)
class Environment:
    """A virtual environment that holds exactly what its lock says."""

    name: str

    @property
    def lock(self) -> Path:
        """The requirements, with hashes."""
        return HERE / f"requirements-{self.name}.txt"

    @property
    def folder(self) -> Path:
        """Where it is."""
        return HERE / f".venv-{self.name}"

    def command(self, name: str) -> str:
        """A program in it; installs what is not there."""
        python, stamp = self.folder / "bin" / "python", self.folder / ".installed"
        wanted = f"{digest(self.lock)} {sys.version} {self.folder}"
        if not is_current(stamp, wanted):
            run([sys.executable, "-m", "venv", "--clear", "--without-pip", str(self.folder)])
            pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
            install = [*pip, "--python", str(python), "install", "--quiet", "--no-deps"]
            # Compiled when it is first loaded: most of it never is.
            run([*install, "--no-compile", "--require-hashes", "--requirement", str(self.lock)])
            stamp.write_text(wanted)
        return str(self.folder / "bin" / name)

    def version(self, package: str) -> str:
        """What the lock says of a package, as "package version"."""
        found = re.search(rf"^{package}==([^ ]+)", self.lock.read_text("utf-8"), re.MULTILINE)
        assert found is not None, package
        return f"{package} {found[1]}"


AWS = Environment("aws")
"""moto, which plays Lambda and STS, and the Lambda tool server."""
PROXY = Environment("aws-proxy")
"""Amazon's own relay."""


def main() -> int:
    """Both; the exit status."""
    try:
        AWS.command("moto_server")
        PROXY.command("mcp-proxy-for-aws")
    except NotInstalled as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
