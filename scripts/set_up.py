"""Makes .venv with the locked dependencies and the project, once per state of the lock.

Needs nothing but Python 3.11 and the package index; with --peers also the npm registry and Debian's
packages, for the real servers, hosts and browser of the tests (Node itself is among the locked
dependencies). With --lowest, makes .venv-lowest as well, with the oldest versions that are allowed.
Prints the path of the environment's Python on stdout, everything else on stderr. With --early, does
nothing but what of --peers needs no environment, and says nothing. With --release, makes
.venv-release as well, with the tools of a release. Must not import anything that is not in the
standard library.
"""

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OTHERS = {"--lowest": "lowest", "--release": "release"}
"""Options that ask for an environment of another lock: .venv-NAME of requirements-NAME.lock."""
OTHER = next((name for option, name in OTHERS.items() if option in sys.argv[1:]), None)
ENVIRONMENT, OTHER_ENVIRONMENT = ROOT / ".venv", ROOT / f".venv-{OTHER}"
LOCK, OTHER_LOCK, PIP_LOCK = (
    "requirements.lock",
    f"requirements-{OTHER}.lock",
    "requirements-pip.lock",
)
BINARIES = ENVIRONMENT / ("Scripts" if os.name == "nt" else "bin")
OLDEST = (3, 11)
QUICK_PIP = (25,)
"""Older ones take three times as long: they look at every version there ever was of everything."""


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


def python_of(environment: Path) -> Path:
    """Its interpreter."""
    if os.name == "nt":
        return environment / "Scripts" / "python.exe"
    return environment / "bin" / "python"


PYTHON = python_of(ENVIRONMENT)
NETWORK = "Is the package index reachable? Run the same command again."


def wanted_state(lock: str) -> str:
    """A fingerprint of everything an environment with this lock is made from."""
    state = hashlib.sha256(str(ROOT).encode())
    for name in (lock, PIP_LOCK, "pyproject.toml"):
        state.update((ROOT / name).read_bytes())
    return state.hexdigest()


def is_complete(environment: Path, state: str) -> bool:
    """Whether it was made of exactly this."""
    stamp = environment / "complete"
    return (
        python_of(environment).is_file()
        and stamp.is_file()
        and stamp.read_text(encoding="ascii") == state
    )


def announce(environment: Path) -> None:
    """Tells the person what takes so long."""
    version = ".".join(map(str, sys.version_info[:2]))
    say(f"Setting up {environment.name} with Python {version} (once; about a minute)...")


def set_up_python() -> None:
    """The environment, the locked dependencies with compiled byte code, the project (editable)."""
    state = wanted_state(LOCK)
    if is_complete(ENVIRONMENT, state):
        return
    announce(ENVIRONMENT)
    try:
        venv.create(ENVIRONMENT, clear=True, with_pip=True, symlinks=os.name != "nt")
    except subprocess.CalledProcessError:
        raise SetUpError(
            "This Python cannot make virtual environments. On Debian and Ubuntu:"
            f" apt install python{'.'.join(map(str, sys.version_info[:2]))}-venv"
        ) from None
    import ensurepip  # Debian may not have it; then the line above has said so

    if tuple(map(int, ensurepip.version().split(".")[:2])) < QUICK_PIP:
        install("--require-hashes", "--requirement", PIP_LOCK)
    install("--require-hashes", "--requirement", LOCK)
    install("--no-deps", "--no-build-isolation", "--editable", ".")
    run([str(PYTHON), "-m", "compileall", "-q", "mcp_remote_py"], "The package does not compile.")
    (ENVIRONMENT / "complete").write_text(state, encoding="ascii")


def set_up_other() -> None:
    """The other environment, by pip of the first; nothing in it is the project's."""
    state = wanted_state(OTHER_LOCK)
    if is_complete(OTHER_ENVIRONMENT, state):
        return
    announce(OTHER_ENVIRONMENT)
    venv.create(OTHER_ENVIRONMENT, clear=True, symlinks=os.name != "nt")
    # Compiled when it is first loaded: most of it never is.
    options = ("--no-compile", "--require-hashes", "--requirement", OTHER_LOCK)
    install(*options, into=OTHER_ENVIRONMENT)
    (OTHER_ENVIRONMENT / "complete").write_text(state, encoding="ascii")


def install(*options: str, into: Path = ENVIRONMENT) -> None:
    """Lets pip do it; of the project's environment, whichever it is for."""
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check"]
    if into != ENVIRONMENT:
        pip += ["--python", str(python_of(into))]
    run([*pip, "install", "-qq", *options], NETWORK)


def set_up_peers() -> None:
    """The third-party systems the tests run against; they say themselves what is missing."""
    if (ROOT / "tests" / "real" / "installation.py").is_file():
        words = [str(PYTHON), "-m", "tests.real.installation"]
        if subprocess.call(words, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=2):
            raise SetUpError("the line above says what the tests need.")


def set_up_early() -> int:
    """What can be had meanwhile, by the Python that is here; its exit status."""
    words = [sys.executable, "-m", "tests.real.installation", "--early"]
    return subprocess.call(words, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=2)


def main() -> int:
    """Exit status 0, or 1 after one line that says what to do."""
    if "--early" in sys.argv[1:]:
        return set_up_early()
    if sys.version_info < OLDEST:
        say("Python 3.11 or newer is needed; this is " + sys.version.split()[0] + ".")
        return 1
    try:
        set_up_python()
        if "--peers" in sys.argv[1:]:
            set_up_peers()
        if OTHER:
            set_up_other()
    except SetUpError as error:
        say(f"Set-up failed: {error}")
        return 1
    print(python_of(OTHER_ENVIRONMENT) if OTHER else PYTHON)
    return 0


if __name__ == "__main__":
    sys.exit(main())
