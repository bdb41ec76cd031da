"""A disk that is full, read-only or broken at any write: nothing stored is lost, nobody is misled.

Real processes against a server that forgives nothing: a refresh token that comes twice ends the
sign-in. Whatever fails, afterwards the same sign-in works, or one tab is asked for. Where the
machine allows it, the full and the read-only disk are real file systems; the broken one is
`harness/failing_disk`. Must not know how the command is made.
"""

from __future__ import annotations

import errno
import os
import shlex
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mcp_remote_py.credentials.session_files import list_records
from tests.harness.browser import fake_browser
from tests.harness.host import Host, Json, environment_for, initialize_params, wait_until
from tests.harness.stage import CALL, COMMAND, PATIENCE, Stage, let_token_expire, refusal
from tests.peers.authorization_server import AuthorizationServer, Policy
from tests.thorough import THOROUGH, often

pytestmark = [pytest.mark.report("S8"), pytest.mark.timeout(120)]

FAILING_DISK = Path(__file__).parent.parent / "harness" / "failing_disk"
STORED_NOW = "The sign-in is stored now"


@dataclass
class Machine(Stage):
    """A stage whose disk fails as it is told."""

    disk: SmallDisk = field(init=False)

    @property
    def state(self) -> Path:
        return self.home / "state"

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        failing = {"PYTHONPATH": str(FAILING_DISK), "FAILING_DISK": str(self.home)}
        return super().environment(failing | dict(extra or {}))

    def fail(self, at: int, number: int, how: str = "one", where: str = "/") -> None:
        """From now on the disk fails at the write of that number, counted from now."""
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / "calls").unlink(missing_ok=True)
        (self.home / "plan").write_text(f"{at} {number} {how} {where}")

    def heal(self) -> None:
        """Nothing fails any more."""
        (self.home / "plan").unlink(missing_ok=True)

    @property
    def writes(self) -> list[str]:
        """What was written since `fail`."""
        calls = self.home / "calls"
        return calls.read_text().splitlines() if calls.exists() else []

    def assert_tidy(self) -> None:
        """Nothing was put aside."""
        left = [path.name for path in self.state.rglob("*") if path.is_file()]
        assert not [name for name in left if "quarantine" in name], left

    @property
    def was_reused(self) -> bool:
        """Whether the server has seen a refresh token twice."""
        return any(one.sign_in.ended for one in self.server.refresh_tokens.values())


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Callable[..., Machine]]:
    with ExitStack() as stack:

        def make(name: str = "one", **policy: object) -> Machine:
            server = stack.enter_context(AuthorizationServer(Policy(**policy)))  # pyright: ignore[reportArgumentType]
            browser = stack.enter_context(fake_browser(tmp_path / name / "browser", "normal", 0))
            return Machine(server, browser, tmp_path / name / "home", stack)

        yield make


def ask(host: Host) -> Json:
    """The answer to a call, whatever it is; the handshake may have failed, too."""
    answer = host.request("initialize", initialize_params())
    return host.request("tools/call", CALL) if "result" in answer else answer


def works(answer: Json) -> bool:
    return answer.get("result", {}).get("params") == CALL


def assert_works(host: Host) -> None:
    answer = ask(host)
    assert works(answer), answer


def wait_until_stored(host: Host) -> None:
    """Where it has said that what it got will not outlive it."""
    wait_until(
        lambda: host.stderr.count("The sign-in will not outlive") == host.stderr.count(STORED_NOW),
        STORED_NOW,
        seconds=PATIENCE,
    )


def signed_in(stage: Machine) -> Machine:
    """Somebody has signed in, and the token is out of date."""
    host = stage.host()
    assert_works(host)
    stage.end(host)
    let_token_expire(stage)
    return stage


def spread(count: int, in_the_gate: int) -> list[int]:
    """Numbers of writes from 1 on, spread over all of them."""
    return list(range(1, count + 1, often(max(1, count // in_the_gate), 1)))


def tabs_in(stage: Machine) -> tuple[float, ...]:
    """What the budget on disk knows of."""
    (state,) = list_records(stage.state / "mcp-remote-py")
    return state.budget.tabs


SIGN_IN_WRITES = 90
RENEWAL_WRITES = 50
"""About, and rather more: where the number is too high, nothing fails."""

COUNTING, DELETING = 52, 58
"""About the writes that count a tab before it opens, and delete what waited for it."""


@pytest.mark.promise("A7", "L2", "R1")
@pytest.mark.parametrize("how", ["one", "on"])
@pytest.mark.parametrize(
    "number", spread(SIGN_IN_WRITES, 3) if THOROUGH else [1, 23, COUNTING, DELETING, 67]
)
def test_sign_in_whose_write_fails(machine: Callable[..., Machine], number: int, how: str) -> None:
    stage = machine(rotation="strict")
    stage.fail(number, errno.EIO, how)
    first = stage.host()
    answer = ask(first)
    tabs = len(stage.browser.opened)
    assert tabs <= 1
    # What works is a sign-in; what does not has opened no tab, or says what to do.
    assert works(answer) or "/mcp-remote-py" in str(answer), answer
    stage.heal()
    if works(answer):
        wait_until_stored(first)
    assert_works(second := stage.host())
    stage.end(first)
    stage.end(second)
    assert_works(third := stage.host())
    stage.end(third)
    assert len(stage.browser.opened) == 1
    assert tabs_in(stage), "the tab is counted"
    assert not stage.was_reused
    stage.assert_tidy()


@pytest.mark.promise("A5", "A7", "R1")
@pytest.mark.parametrize("how", ["one", "on"])
@pytest.mark.parametrize("number", spread(RENEWAL_WRITES, 3))
def test_renewal_whose_write_fails(machine: Callable[..., Machine], number: int, how: str) -> None:
    stage = signed_in(machine(lifetime=1, rotation="strict"))
    stage.fail(number, errno.EIO, how)
    first = stage.host()
    answer = ask(first)
    assert works(answer) or "MCP_REMOTE_CONFIG_DIR" in str(answer), answer
    stage.heal()
    wait_until_stored(first)
    assert_works(second := stage.host())
    stage.end(first)
    stage.end(second)
    assert_works(third := stage.host())
    stage.end(third)
    assert len(stage.browser.opened) == 1, "the same sign-in"
    assert not stage.was_reused
    assert tabs_in(stage), "the budget is what it was"
    stage.assert_tidy()


def number_of(stage: Machine, line: str, which: int) -> int:
    """The number of the write that looks so, counted from 0 among those that do; they are kept."""
    found = [
        n
        for n, one in enumerate(stage.writes, 1)
        if one.startswith(line.split()[0]) and one.endswith(line.split()[1])
    ]
    return found[which]


LAST_DRAFT = "write .sealed.reserved.tmp"


@pytest.mark.promise("A4", "A5", "L1")
def test_tokens_that_could_not_be_stored_are_not_spent_by_others(
    machine: Callable[..., Machine],
) -> None:
    rehearsal = signed_in(machine("rehearsal", lifetime=1))
    rehearsal.fail(9999, errno.EIO)
    assert_works(host := rehearsal.host())
    rehearsal.end(host)
    number = number_of(rehearsal, LAST_DRAFT, -1)

    stage = signed_in(machine(lifetime=1, rotation="strict"))
    before = stage.counts
    stage.fail(number, errno.EIO, "on", "sessions")
    first = stage.host()
    assert_works(first)
    first.wait_logged("The sign-in will not outlive this process: ")
    second = stage.host()
    text = refusal(second, "could not store")
    assert "repair it" in text
    assert works(first.request("tools/call", CALL))
    stage.heal()
    wait_until_stored(first)
    assert_works(second)
    stage.end(first)
    stage.end(second)
    assert_works(third := stage.host())
    stage.end(third)
    counts = stage.counts_since(before)
    assert (counts["tabs"], counts["codes"], counts["refreshes"]) == (0, 0, 1), counts
    assert not stage.was_reused
    assert first.stderr.count("will not outlive") == 1


@pytest.mark.promise("P2")
def test_login_that_cannot_be_stored_is_not_told_as_one(machine: Callable[..., Machine]) -> None:
    rehearsal = machine("rehearsal")
    rehearsal.fail(9999, errno.EIO)
    rehearsal.login()
    number = number_of(rehearsal, LAST_DRAFT, -1)
    stage = machine()
    stage.fail(number, errno.EIO, "on")
    done = run_command(stage, "login", stage.server.url, "--token-store", "file")
    assert done.returncode == 3, done
    assert "Signed in" not in done.stdout + done.stderr
    assert "could not be stored: " in done.stderr
    assert "Input/output error" in done.stderr
    stage.heal()
    assert run_command(stage, "status", stage.server.url).returncode == 3


def run_command(stage: Machine, *words: str) -> subprocess.CompletedProcess[str]:
    return stage.run(*words)


# A disk of its own


HOLD = "echo ready && exec cat"
"""Keeps a namespace until its stdin ends."""


class SmallDisk:
    """A file system in memory over a folder, which this process does not see, but its children.

    It is in a mount namespace of its own, which root may make, and others with a user namespace.
    """

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        user = [] if os.geteuid() == 0 else ["--map-root-user"]
        mount = f"mount -t tmpfs -o size=256k,mode=700 disk {shlex.quote(str(folder))}"
        self._process = stack.enter_context(
            subprocess.Popen(
                ["/usr/bin/env", "unshare", "--mount", *user, "sh", "-c", f"{mount} && {HOLD}"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        )
        stack.callback(self._process.kill)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"
        enter = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
        self.prefix = ("nsenter", "--target", str(self._process.pid), "--mount", *enter, "--")

    def run(self, script: str) -> None:
        """A line of shell, in the folder."""
        command = [*self.prefix, "sh", "-c", f"cd {shlex.quote(str(self._folder))}; {script}"]
        subprocess.run(command, timeout=PATIENCE, check=True, stderr=subprocess.DEVNULL)

    def break_down(self, how: str) -> None:
        """It becomes full, or cannot be written to."""
        if how == "full":
            self.run("dd if=/dev/zero of=filler bs=1k || true; dd if=/dev/zero of=f2 bs=1 || true")
        else:
            self.run("mount -o remount,ro .")

    def mend(self) -> None:
        """Nothing is in the way any more."""
        self.run("mount -o remount,rw . && rm -f filler f2")


@pytest.fixture
def on_disk(machine: Callable[..., Machine], tmp_path: Path) -> Iterator[Callable[..., Machine]]:
    with ExitStack() as stack:

        def make(**policy: object) -> Machine:
            made = machine(**policy)
            made.disk = SmallDisk(made.state, stack)
            made.prefix = made.disk.prefix
            return made

        yield make


@pytest.mark.promise("A7", "L2", "P2", "R1")
@pytest.mark.report("S18")
@pytest.mark.parametrize("how", ["full", "read-only"])
def test_no_tab_for_a_sign_in_that_could_not_be_kept(
    on_disk: Callable[..., Machine], how: str
) -> None:
    stage = on_disk()
    stage.disk.break_down(how)
    host = stage.host()
    refusal(host, "MCP_REMOTE_CONFIG_DIR")
    refusal(host, "MCP_REMOTE_CONFIG_DIR")
    assert stage.counts["tabs"] == 0
    stage.disk.mend()
    assert_works(host)
    stage.end(host)
    assert_works(again := stage.host())
    stage.end(again)
    assert stage.counts["tabs"] == 1


@pytest.mark.promise("A5", "A7", "R1")
@pytest.mark.parametrize("how", ["full", "read-only"])
def test_no_renewal_that_could_not_be_stored(on_disk: Callable[..., Machine], how: str) -> None:
    stage = signed_in(on_disk(lifetime=1, rotation="strict"))
    stage.disk.break_down(how)
    host = stage.host()
    refusal(host, "MCP_REMOTE_CONFIG_DIR")
    assert len([line for line in host.stderr.splitlines() if "cannot be" in line]) < 6
    assert stage.counts["refreshes"] == 0
    stage.disk.mend()
    assert_works(host)
    stage.end(host)
    assert_works(again := stage.host())
    stage.end(again)
    counts = stage.counts
    assert (counts["tabs"], counts["refreshes"]) == (1, 1), counts
    assert not stage.was_reused


@pytest.mark.promise("A7")
@pytest.mark.report("S18")
def test_what_is_kept_in_memory_needs_no_disk(on_disk: Callable[..., Machine]) -> None:
    stage = on_disk(lifetime=1)
    stage.disk.break_down("read-only")
    host = stage.host(token_store="memory")
    assert_works(host)
    let_token_expire(stage)
    assert works(host.request("tools/call", CALL)), "it is renewed, too"
    counts = stage.counts
    assert (counts["tabs"], counts["codes"], counts["refreshes"]) == (1, 1, 1), counts
    for words in ("Other processes do not wait", "cannot be written"):
        host.wait_logged(words)
    stage.end(host)
    for words in ("Other processes do not wait", "cannot be written"):
        assert host.stderr.count(words) == 1, host.stderr


# What is not to be trusted


def record_of(stage: Machine) -> Path:
    (path,) = (stage.state / "mcp-remote-py").glob("*.json")
    return path


@pytest.mark.promise("L2")
@pytest.mark.report("S15")
def test_budget_that_cannot_be_read_is_not_an_empty_one(machine: Callable[..., Machine]) -> None:
    """Nor is it overwritten: what lies there may be another's file."""
    stage = machine()
    assert_works(host := stage.host())
    stage.end(host)
    stage.server.end_sign_ins()
    record = record_of(stage)
    aside = stage.home / "aside"
    content = record.read_bytes()
    record.rename(aside)
    record.symlink_to(aside)
    host = stage.host()
    refusal(host, "symbolic link", f"mcp-remote-py login {stage.server.url}")
    stage.end(host)
    assert aside.read_bytes() == content
    assert stage.counts["tabs"] == 1
    record.unlink()
    aside.rename(record)
    assert_works(host := stage.host())
    stage.end(host)
    assert stage.counts["tabs"] == 2


@pytest.mark.promise("L2")
@pytest.mark.parametrize("damage", ["cut", "huge", "later"])
def test_budget_that_is_broken_counts_as_spent(
    machine: Callable[..., Machine], damage: str
) -> None:
    stage = machine()
    assert_works(host := stage.host())
    stage.end(host)
    stage.server.end_sign_ins()
    record = record_of(stage)
    if damage == "cut":
        record.write_bytes(record.read_bytes()[:-5])
    elif damage == "huge":
        os.truncate(record, 1 << 30)
    else:
        record.write_bytes(record.read_bytes().replace(b'"schema":2', b'"schema":99'))
    host = stage.host()
    refusal(host, "refuses a token|sign-in", f"mcp-remote-py login {stage.server.url}")
    stage.end(host)
    assert stage.counts["tabs"] == 1
    stage.login()
    assert_works(host := stage.host())
    stage.end(host)
    assert stage.counts["tabs"] == 2


@pytest.mark.promise("S2")
@pytest.mark.report("S15")
@pytest.mark.parametrize("trap", ["link", "dangling link", "hard link", "FIFO", "owner"])
def test_log_file_that_another_may_have_prepared_is_refused(tmp_path: Path, trap: str) -> None:
    victim, log = tmp_path / "victim", tmp_path / "log"
    victim.write_text("untouched")
    match trap:
        case "link":
            log.symlink_to(victim)
        case "dangling link":
            log.symlink_to(tmp_path / "new")
        case "hard link":
            log.hardlink_to(victim)
        case "FIFO":
            os.mkfifo(log)
        case _:
            log = foreign_file(tmp_path)
    reader = os.open(log, os.O_RDONLY | os.O_NONBLOCK) if trap == "FIFO" else -1
    done = subprocess.run(
        [str(COMMAND), "https://mcp.example/mcp", "--log-file", str(log)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env=environment_for(tmp_path / "home"),
        check=False,
    )
    if reader != -1:
        os.close(reader)
    assert done.returncode == 2, done
    assert f"--log-file: {log} " in done.stderr or f"cannot write {log}: " in done.stderr
    assert victim.read_text() == "untouched"
    assert not (tmp_path / "new").exists()


def foreign_file(folder: Path) -> Path:
    """A file of another user: one made so, which takes root, or one of root's."""
    if os.geteuid() != 0:
        return Path("/etc/passwd")
    path = folder / "foreign"
    path.write_text("")
    os.chown(path, 65534, 65534)
    return path


@pytest.mark.promise("S2", "P2")
@pytest.mark.report("S15")
@pytest.mark.parametrize("what", ["record", "sealed", "key", "lock"])
@pytest.mark.parametrize("trap", ["link", "FIFO", "hard link"])
def test_file_that_another_may_have_prepared_is_not_followed(
    machine: Callable[..., Machine], what: str, trap: str
) -> None:
    stage = signed_in(machine(lifetime=1))
    patterns = {"record": "*.json", "sealed": "*.sealed", "key": "key", "lock": "*.store.lock"}
    (path,) = stage.state.rglob(patterns[what])
    victim = stage.home / "victim"
    path.rename(victim)
    content = victim.read_bytes()
    match trap:
        case "link":
            path.symlink_to(victim)
        case "FIFO":
            os.mkfifo(path)
        case _:
            path.hardlink_to(victim)
    host = stage.host()
    words = {"link": "symbolic link", "FIFO": "plain file", "hard link": "second name"}[trap]
    refusal(host, words)
    stage.end(host)
    assert victim.read_bytes() == content
    assert stage.counts["tabs"] == 1


NO_PERMISSIONS = """
import os
os.chmod = os.fchmod = lambda *_, **__: None
"""


@pytest.mark.promise("S2", "P2")
@pytest.mark.report("S15")
def test_disk_without_permissions_is_used_and_said_once(machine: Callable[..., Machine]) -> None:
    """Drives of Windows in Linux, vfat: whatever is changed there stays as it was."""
    stage = machine()
    folder = stage.state / "mcp-remote-py"
    for each in (folder, folder / "sessions", folder / "locks"):
        each.mkdir(parents=True)
        each.chmod(0o777)
    modules = stage.home / "modules"
    modules.mkdir()
    (modules / "sitecustomize.py").write_text(NO_PERMISSIONS)
    for said in ({1}, {0, 1}):  # whoever only reads does not look at the folder
        assert_works(host := stage.host(environment={"PYTHONPATH": str(modules)}))
        for path in stage.state.rglob("*.json"):
            path.chmod(0o666)
        stage.end(host)
        assert "yours alone" not in host.stderr
        assert "only by you" not in host.stderr
        assert host.stderr.count(f"{folder} is open to other users") in said
    assert stage.counts["tabs"] == 1


@pytest.mark.promise("S2")
@pytest.mark.report("S15")
@pytest.mark.parametrize("whose", ["ours", "another's"])
def test_folder_that_is_open_to_others_is_closed_or_refused(
    machine: Callable[..., Machine], whose: str
) -> None:
    stage = machine()
    folder = stage.state / "mcp-remote-py"
    for each in (folder, folder / "sessions", folder / "locks"):
        each.mkdir(parents=True)
        each.chmod(0o777)
    stage.state.chmod(0o777)
    if whose == "another's" and os.geteuid() == 0:
        os.chown(folder / "sessions", 65534, 65534)
        host = stage.host()
        refusal(host, "belongs to another user")
        stage.end(host)
        assert stage.counts["tabs"] == 0
        assert list((folder / "sessions").iterdir()) == []
        return
    assert_works(host := stage.host())
    stage.end(host)
    for each in (folder, folder / "sessions", folder / "locks"):
        assert each.stat().st_mode & 0o777 == 0o700, each
    assert stage.state.stat().st_mode & 0o777 == 0o775
    assert "was open to other users" in host.stderr
