"""The process that looks for AWS keys, as it is: how it starts, what it may not hold, how it ends.

Where its start is not the point it is a fork. What it finds is `test_chain`'s.
"""

from __future__ import annotations

import asyncio
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from mcp_remote_py.errors import Refused
from mcp_remote_py.settings.aws import AwsSettings
from mcp_remote_py.signing.chain import CHAIN_COMMAND, KeyChain
from mcp_remote_py.signing.chain_process import FAREWELL_SECONDS, LOOK_SECONDS
from tests.fakes import run, until
from tests.signing.desk import Desk
from tests.signing.fake_aws import ROLE, fake_aws

pytestmark = pytest.mark.timeout(60)

PATIENCE = 20.0
"""Seconds for what takes one."""


def chain_of(
    home: Path,
    config: str,
    seconds: float = PATIENCE,
    command: Sequence[str] = CHAIN_COMMAND,
    **variables: str,
) -> KeyChain:
    """The chain of a person with this file, in a host's thin environment."""
    (home / ".aws").mkdir(exist_ok=True)
    (home / ".aws" / "config").write_text(config)
    environment = {"HOME": str(home), "PATH": os.environ["PATH"]} | variables
    return KeyChain(AwsSettings(), environment, seconds=seconds, command=command)


def refusal_of(chain: KeyChain) -> Refused:
    with pytest.raises(Refused) as caught:
        run(chain.load_keys())
    return caught.value


def program(home: Path, text: str) -> str:
    path = home / "program"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o700)
    return f"[default]\ncredential_process = {path}\n"


def is_there(pid: int) -> bool:
    """Whether it runs; one that is dead and not yet buried does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def hanging(home: Path) -> str:
    """A program that starts another one and waits for it; both are in the file `pids`."""
    return program(home, f"sleep 60 & echo $$ $! > {home}/new; mv {home}/new {home}/pids; wait")


def started(home: Path) -> list[int]:
    return [int(word) for word in (home / "pids").read_text().split()]


@pytest.mark.promise("R7")
def test_what_hangs_is_named_and_stopped_with_all_it_started(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.seconds = 2.0
    desk.write("config", hanging(tmp_path))
    with pytest.raises(Refused) as caught:
        desk.load()
    assert caught.value.sentence() == (
        f"The credential_process of profile default, {tmp_path}/program, did not end within 2"
        " seconds and was stopped. Run it by hand to see why: it must not ask anything, nobody can"
        " answer it here."
    )
    assert not caught.value.is_passing
    run(until(lambda: not any(map(is_there, started(tmp_path)))))


def test_a_service_that_hangs_is_named(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.seconds = 2.0
    desk.write("config", f"[default]\nrole_arn = {ROLE}\ncredential_source = Environment\n")
    with fake_aws() as aws:
        aws.hang.clear()
        desk.environment |= aws.environment
        desk.environment |= {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "canary-env"}
        # The keys of the environment come first, unless a profile is named.
        assert desk.load().source == "env"
        with pytest.raises(Refused) as caught:
            desk.load("default")
    assert str(caught.value) == (
        "127.0.0.1 did not answer within 2 seconds when it was asked for AWS keys."
    )
    assert "HTTPS_PROXY" in caught.value.hint
    assert caught.value.is_passing


@pytest.mark.promise("R7")
def test_who_asked_and_went_away_leaves_nothing_behind(tmp_path: Path) -> None:
    chain = chain_of(tmp_path, hanging(tmp_path))

    async def go_away() -> float:
        asking = asyncio.create_task(chain.load_keys())
        await until((tmp_path / "pids").exists, PATIENCE)
        asking.cancel()
        began = time.monotonic()
        await asyncio.wait({asking})
        assert asking.cancelled()
        assert time.monotonic() - began < 1  # nobody has to wait for it
        await until(lambda: not any(map(is_there, started(tmp_path))))
        return time.monotonic() - began

    # What is under way has a moment to be written down; R7 gives everything two seconds.
    assert FAREWELL_SECONDS / 2 < run(go_away())
    assert FAREWELL_SECONDS < 2


ASK = """
import asyncio, os
from mcp_remote_py.settings.aws import AwsSettings
from mcp_remote_py.signing.chain import KeyChain
asyncio.run(KeyChain(AwsSettings(), dict(os.environ)).load_keys())
"""


@pytest.mark.promise("R7")
def test_who_was_killed_leaves_nothing_behind(tmp_path: Path) -> None:
    chain_of(tmp_path, hanging(tmp_path))
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    with subprocess.Popen([sys.executable, "-c", ASK], env=environment) as asking:
        run(until((tmp_path / "pids").exists, PATIENCE))
        asking.send_signal(signal.SIGKILL)
    run(until(lambda: not any(map(is_there, started(tmp_path)))))


AT_A_TERMINAL = """
import fcntl, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
open("/dev/tty").close()
"""


def test_a_thin_environment_is_enough_and_neither_folder_nor_terminal_are_ours(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "botocore.py").write_text("raise SystemExit('not this one')\n")
    keys = '{"Version":1,"AccessKeyId":"AKIDPROGRAM","SecretAccessKey":"canary-key"}'
    asking = "(: < /dev/tty) 2> /dev/null && exit 4"
    chain_of(tmp_path, program(tmp_path, f"{asking}\nread line && exit 3\necho '{keys}'"))
    ask = ASK.replace("asyncio.run(", "print(asyncio.run(").replace("load_keys())", "load_keys()))")
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", AT_A_TERMINAL + ask],
            cwd=folder,
            env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]},
            stdin=theirs,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            start_new_session=True,
            check=False,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert "AKIDPROGRAM" in done.stdout, done.stderr
    assert "canary" not in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "raise ModuleNotFoundError('No module named botocore', name='botocore')",
            "The AWS keys of a profile, a role or a sign-in need the package botocore, and it is"
            " not installed. Keys in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY work without it."
            f' Run: "{sys.executable}" -m pip install botocore',
        ),
        (
            "raise ImportError('cannot import name DEFAULT_CIPHERS from urllib3')",
            "The package botocore is installed, but cannot be loaded. Python says: cannot import"
            " name DEFAULT_CIPHERS from urllib3. Install it again."
            f' Run: "{sys.executable}" -m pip install botocore',
        ),
        (
            "__version__ = '1.12.3'",
            "The package botocore 1.12.3 is too old: 1.35 or newer is needed. Python says: type"
            " object 'Session' has no attribute 'set_default_client_config'."
            f' Run: "{sys.executable}" -m pip install botocore',
        ),
    ],
)
def test_without_a_botocore_that_can_be_used(tmp_path: Path, text: str, said: str) -> None:
    package = tmp_path / "packages" / "botocore"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(text)
    for name, content in {"session": "class Session: ...", "config": "class Config: ..."}.items():
        (package / f"{name}.py").write_text(content)
    chain = chain_of(tmp_path, "", PYTHONPATH=str(package.parent))
    assert refusal_of(chain).sentence() == said


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ((sys.executable, "-c", "print('canary')"), "(7 bytes)"),
        ((sys.executable, "-c", ""), "(0 bytes)"),
        (("/nowhere/python",), "(FileNotFoundError)"),
    ],
)
def test_a_process_without_an_answer(tmp_path: Path, command: tuple[str, ...], said: str) -> None:
    chain = KeyChain(AwsSettings(), {"HOME": str(tmp_path)}, command=command)
    error = refusal_of(chain)
    assert error.sentence() == (
        f"The process that looks for AWS keys ended without an answer {said}. The next request"
        " tries again."
    )
    assert error.is_passing


def test_without_a_thread_there_is_no_answer(tmp_path: Path) -> None:
    async def main() -> None:
        await asyncio.get_running_loop().shutdown_default_executor()
        with pytest.raises(Refused, match=r"ended without an answer \(RuntimeError\)"):
            await KeyChain(AwsSettings(), {"HOME": str(tmp_path)}).load_keys()

    run(main())


def test_a_process_that_does_not_even_end_is_stopped(tmp_path: Path) -> None:
    text = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(60)"
    command = (sys.executable, "-c", text, str(tmp_path / "pids"))
    chain = KeyChain(AwsSettings(), {"HOME": str(tmp_path)}, seconds=0.5, stop=1.0, command=command)
    assert str(refusal_of(chain)) == (
        "Looking for the AWS keys of profile default did not end within 0.5 seconds."
    )
    run(until(lambda: not any(map(is_there, started(tmp_path)))))


def test_the_memory_of_whoever_started_it_is_not_its_own(tmp_path: Path) -> None:
    """Linux hands the peak on to what is started."""
    keys = '{"Version":1,"AccessKeyId":"AKIDPROGRAM","SecretAccessKey":"canary-program"}'
    config = program(tmp_path, f"sleep {3 * LOOK_SECONDS}; echo '{keys}'")
    text = "import os, sys; b'x' * (260 << 20); os.execv(sys.argv[1], sys.argv[1:])"
    chain = chain_of(tmp_path, config, command=(sys.executable, "-c", text, *CHAIN_COMMAND))
    assert run(chain.load_keys()).keys.access_key_id == "AKIDPROGRAM"


def test_an_answer_counts_although_its_process_hangs_at_the_end(tmp_path: Path) -> None:
    text = (
        "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid()));"
        """ print('{"access_key_id":"AKIDTEST"}', flush=True); sys.stdin.readline();"""
        " sys.stdin.read(); time.sleep(0.1)"
    )
    command = (sys.executable, "-c", text, str(tmp_path / "pids"))
    chain = KeyChain(AwsSettings(), {"HOME": str(tmp_path)}, seconds=PATIENCE, command=command)
    assert run(chain.load_keys()).keys.access_key_id == "AKIDTEST"
    run(until(lambda: not any(map(is_there, started(tmp_path)))))


@pytest.mark.promise("S2")
def test_nothing_secret_is_in_the_arguments() -> None:
    assert CHAIN_COMMAND[1:] == ("-P", "-m", "mcp_remote_py.signing.chain_process")
