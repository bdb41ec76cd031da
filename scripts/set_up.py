"""Makes .venv with the locked dependencies and the project, once per state of the lock.

Needs nothing but Python 3.11 and the package index; with --peers also the npm registry, for the
real servers and hosts of the tests (Node itself is among the locked dependencies). With --lowest,
makes .venv-lowest with the oldest versions that are allowed. Prints the
path of the environment's Python on stdout, everything else on stderr. Must not import anything
that is not in the standard library.
"""

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOWEST = "--lowest" in sys.argv[1:]
"""Whether the dependencies are the oldest ones allowed, in an environment of their own."""
LOCK = "requirements-lowest.lock" if LOWEST else "requirements.lock"
ENVIRONMENT = ROOT / (".venv-lowest" if LOWEST else ".venv")
BINARIES = ENVIRONMENT / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BINARIES / ("python.exe" if os.name == "nt" else "python")
OLDEST = (3, 11)


class SetUpError(Exception):
    """What failed, and what to do about it."""


def say(text: str) -> None:
    """One line to the person, now."""
    print(text, file=sys.stderr, flush=True)


def run(arguments: list[str], hint: str) -> None:
    """Runs a command whose output is for people.

    Raises:
        SetUpError: it failed; its own words are on stderr above.
    """
    path = f"{BINARIES}{os.pathsep}{os.environ.get('PATH', '')}"
    status = subprocess.call(
        arguments, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=2, env={**os.environ, "PATH": path}
    )
    if status:
        words = " ".join([Path(arguments[0]).name, *arguments[1:4]])
        raise SetUpError(f"`{words}` failed. {hint}")


def wanted_state() -> str:
    """A fingerprint of everything the environment is made from."""
    state = hashlib.sha256(str(ROOT).encode())
    for name in (LOCK, "pyproject.toml"):
        state.update((ROOT / name).read_bytes())
    return state.hexdigest()


def set_up_python() -> None:
    """The environment, the locked dependencies with compiled byte code, the project (editable)."""
    stamp = ENVIRONMENT / "complete"
    state = wanted_state()
    if PYTHON.is_file() and stamp.is_file() and stamp.read_text(encoding="ascii") == state:
        return
    version = ".".join(map(str, sys.version_info[:2]))
    say(f"Setting up {ENVIRONMENT.name} with Python {version} (once; about a minute)...")
    try:
        venv.create(ENVIRONMENT, clear=True, with_pip=True, symlinks=os.name != "nt")
    except subprocess.CalledProcessError:
        raise SetUpError(
            "This Python cannot make virtual environments. On Debian and Ubuntu:"
            f" apt install python{version}-venv"
        ) from None
    pip = [str(PYTHON), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    network = "Is the package index reachable? Run the same command again."
    run([*pip, "--require-hashes", "--requirement", LOCK], network)
    if not LOWEST:  # its tests run from here, and start no command
        run([*pip, "--no-deps", "--no-build-isolation", "--editable", "."], network)
    run([str(PYTHON), "-m", "compileall", "-q", "mcp_remote_py"], "The package does not compile.")
    stamp.write_text(state, encoding="ascii")


def set_up_peers() -> None:
    """The third-party servers and hosts the tests run against; they know what they need."""
    if (ROOT / "tests" / "real" / "installation.py").is_file():
        run(
            [str(PYTHON), "-m", "tests.real.installation"],
            "Is the npm registry reachable? Run the same command again.",
        )


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
