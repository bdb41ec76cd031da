"""Makes .venv with the locked dependencies and the project, once per state of the lock.

Needs nothing but Python 3.11 and the package index; with --peers also npm packages for tests
against real peers, by the Node that is among the locked dependencies. Prints the path of the
environment's Python on stdout, and everything else on stderr. Must not import anything that
is not in the standard library.
"""

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv"
BINARIES = ENVIRONMENT / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BINARIES / ("python.exe" if os.name == "nt" else "python")
PEERS = ROOT / "tests" / "peers"
OLDEST = (3, 11)


class SetUpError(Exception):
    """What failed, and what to do about it."""


def say(text: str) -> None:
    """One line to the person, now."""
    print(text, file=sys.stderr, flush=True)


def run(arguments: list[str], hint: str, cwd: Path = ROOT) -> None:
    """Runs a command whose output is for people.

    Raises:
        SetUpError: it failed; its own words are on stderr above.
    """
    path = f"{BINARIES}{os.pathsep}{os.environ.get('PATH', '')}"
    status = subprocess.call(
        arguments, cwd=cwd, stdin=subprocess.DEVNULL, stdout=2, env={**os.environ, "PATH": path}
    )
    if status:
        raise SetUpError(f"`{Path(arguments[0]).name} {arguments[1]} ...` failed. {hint}")


def digest(*paths: Path, salt: str = "") -> str:
    """A fingerprint of these files."""
    sha = hashlib.sha256(salt.encode())
    for path in paths:
        sha.update(path.read_bytes())
    return sha.hexdigest()


def is_done(stamp: Path, state: str) -> bool:
    """Whether the last complete run left `state`."""
    return stamp.is_file() and stamp.read_text(encoding="ascii") == state


def set_up_python() -> None:
    """The environment, the locked dependencies with compiled byte code, the project (editable)."""
    stamp = ENVIRONMENT / "complete"
    state = digest(
        ROOT / "requirements.lock",
        ROOT / "pyproject.toml",
        salt=f"{ROOT} {sys.version_info[:2]}",
    )
    if is_done(stamp, state) and PYTHON.is_file():
        return
    version = ".".join(map(str, sys.version_info[:2]))
    say(f"Setting up .venv with Python {version} (once; about a minute)...")
    try:
        venv.create(ENVIRONMENT, clear=True, with_pip=True, symlinks=os.name != "nt")
    except subprocess.CalledProcessError:
        raise SetUpError(
            "This Python cannot make virtual environments. On Debian and Ubuntu:"
            f" apt install python{version}-venv"
        ) from None
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "-qq", "install"]
    network = "Is the package index reachable? Run the same command again."
    run([*pip, "--require-hashes", "--requirement", "requirements.lock"], network)
    run([*pip, "--no-deps", "--no-build-isolation", "--editable", "."], network)
    run([str(PYTHON), "-m", "compileall", "-q", "mcp_remote_py"], "The package does not compile.")
    stamp.write_text(state, encoding="ascii")


def set_up_peers() -> None:
    """The npm packages that play real servers and hosts in tests, if there are any."""
    manifest, lock = PEERS / "package.json", PEERS / "package-lock.json"
    if not manifest.is_file():
        return
    files = [path for path in (manifest, lock) if path.is_file()]
    stamp, state = PEERS / "node_modules" / ".complete", digest(*files)
    if is_done(stamp, state):
        return
    say("Fetching the npm peers of the tests (once)...")
    npm = str(BINARIES / ("npm.exe" if os.name == "nt" else "npm"))
    verb = "ci" if lock.is_file() else "install"
    run(
        [npm, verb, "--no-audit", "--no-fund", "--loglevel=error"],
        "Is the npm registry reachable? Run the same command again.",
        cwd=PEERS,
    )
    stamp.write_text(state, encoding="ascii")


def main() -> int:
    """Exit status 0, or 1 after one line that says what to do."""
    if sys.version_info < OLDEST:
        say("Python 3.11 or newer is needed; this is " + sys.version.split()[0] + ".")
        return 1
    try:
        set_up_python()
        if "--peers" in sys.argv[1:]:
            set_up_peers()
    except SetUpError as error:
        say(f"Set-up failed: {error}")
        return 1
    print(PYTHON)
    return 0


if __name__ == "__main__":
    sys.exit(main())
