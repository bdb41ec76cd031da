"""The story: what a person and a host do with a server, step by step, and what was seen.

A step that passes was observed: the tool's answer, the tabs that were opened, the requests that the
token endpoint had, the files that are gone. Must not know any system or command by name.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from tests.harness.browser import FakeBrowser, fake_browser
from tests.harness.host import Handler, Host, Json, wait_until
from tests.harness.warm import run
from tests.interop.commands import Command
from tests.interop.systems import Absent, Call, Scene, SignIn
from tests.thorough import THOROUGH

PATIENCE = 40.0
"""Seconds for one answer, a person's sign-in before it included."""
END_PATIENCE = 5.0
"""Seconds from the end of stdin to the end of the command."""
LOG_PATIENCE = 3.0
"""Seconds until a server has written into its log what it has answered."""
CAPABILITIES: Json = {"elicitation": {}, "sampling": {}, "roots": {}}
MAX_WORDS = 400

T = TypeVar("T")

OK, ABSENT, FAILED = "ok", "-", "failed"
UNREACHED = "there is no connection"
"""Why a step after a failed `connect` has failed."""


class NotOffered(Exception):
    """The system or the command has nothing of the kind; the text says why."""


@dataclass(frozen=True)
class Outcome:
    """What came of one step.

    Attributes:
        result: `OK`, `ABSENT` or `FAILED`.
        words: what was seen, why it is not offered, or how it failed.
        seconds: how long it took, without the wait for a token's end or a server's start.
    """

    step: str
    result: str
    words: str
    seconds: float


class Player:
    """One person with one command and one running system.

    Attributes:
        waited: seconds of the step that were not the command's.
        greeting: what the server said of itself last.
    """

    def __init__(self, scene: Scene, command: Command, folder: Path, *, by_hand: bool) -> None:
        self.scene = scene
        self._by_hand = by_hand
        self._command = command
        self._home = folder / "home"
        self._stack = ExitStack()
        self._host: Host | None = None
        self.waited = 0.0
        self.greeting: Json = {}
        self._browser: FakeBrowser = self._stack.enter_context(fake_browser(folder / "browser"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._host is not None:
            self._host.end()
        self._stack.close()

    # What can be seen

    @property
    def name(self) -> str:
        """What the greeting calls the server."""
        return self.scene.own_names.get(self._command.name, self.scene.name)

    @property
    def tabs(self) -> int:
        """Addresses that the browser was given."""
        return len(self._browser.opened)

    @property
    def sign_in(self) -> SignIn:
        """How people sign in here.

        Raises:
            NotOffered: nobody does.
        """
        return offered(self.scene.sign_in)

    def token_requests(self) -> int | None:
        """What the token endpoint has had, where somebody counts and somebody signs in."""
        how = self.scene.sign_in
        count = None if isinstance(how, Absent) else how.token_requests
        return None if count is None else count()

    # What can be done

    @property
    def host(self) -> Host:
        """The host, started and greeted if it is not there."""
        if self._host is None:
            self.begin()
        assert self._host is not None
        return self._host

    def begin(self) -> None:
        """Starts the command, with the greeting."""
        host = Host(
            self._command.words(self.scene),
            self._environment(),
            handlers=self._handlers(),
            patience=PATIENCE,
            fresh=self._by_hand or THOROUGH,
        )
        try:
            self.greeting = host.initialize(CAPABILITIES)
        except BaseException:
            host.end()
            raise
        self._host = host

    def end(self) -> None:
        """The host goes away as hosts do, and has nothing to complain of."""
        if self._host is None:
            return
        host, self._host = self._host, None
        host.close_stdin()
        try:
            assert host.wait_exit(END_PATIENCE) == 0, f"exit status {host.process.returncode}"
        finally:
            host.end()
        host.check()

    def call(self, call: Call) -> str:
        """The text of the result, which must be the expected one."""
        params = {"name": call.tool, "arguments": call.arguments}
        answer = self.host.request("tools/call", params)
        assert "result" in answer, f"the call was answered by {answer['error']}"
        text = "".join(one.get("text", "") for one in answer["result"]["content"])
        assert call.says in text, f"the tool said {text!r}"
        return text

    def sleep_over(self) -> bool:
        """Waits, by hand, until a token that can be renewed has ended; whether it did."""
        how = self.scene.sign_in
        if not self._by_hand or isinstance(how, Absent) or not how.renews:
            return False
        if isinstance(how.expire, Absent):
            return False
        self.wait_for(how.expire)
        return True

    def wait_for(self, happening: Callable[[], None]) -> None:
        """Lets something happen that is not the command's doing, nor its time."""
        began = time.monotonic()
        happening()
        self.waited += time.monotonic() - began

    def check_logout(self) -> None:
        """Raises NotOffered where the command does not sign out."""
        offered(self._command.log_out)

    def log_out(self) -> Sequence[Path]:
        """Signs out; returns what is still stored."""
        words = offered(self._command.log_out)(self.scene)
        done = run(words, self._environment(), PATIENCE, fresh=self._by_hand or THOROUGH)
        assert done.returncode == 0, f"exit status {done.returncode}: {done.stderr}"
        return self.stored()

    def stored(self) -> Sequence[Path]:
        """Files by which the command could go on without a person."""
        return self._command.stored(self._home)

    def _environment(self) -> dict[str, str]:
        given = self._command.environment(self._home, self._browser.command)
        return given | dict(self.scene.environment)

    def _handlers(self) -> dict[str, Handler]:
        ask = self.scene.ask
        if isinstance(ask, Absent) or ask.answer is None:
            return {}
        answer = ask.answer
        return {ask.method: lambda _: answer}

    def check_visits(self) -> None:
        """Every tab has ended at a page of ours."""
        wait_until(lambda: len(self._browser.ends) >= self.tabs, "the end of the visit")
        for end in self._browser.ends:
            assert end.startswith("200 "), f"the tab ended at {end}"


def offered(value: T | Absent) -> T:
    """What is there.

    Raises:
        NotOffered: it is not.
    """
    if isinstance(value, Absent):
        raise NotOffered(value.why)
    return value


def more_than(before: int, count: Callable[[], int | None]) -> int:
    """By how much the count has grown; who keeps it may write it down a moment later."""
    deadline = time.monotonic() + LOG_PATIENCE
    while (count() or 0) <= before and time.monotonic() < deadline:
        time.sleep(0.02)
    return (count() or 0) - before


def say(count: int, noun: str) -> str:
    """As in "2 tabs"."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


# The steps


def connect(player: Player) -> str:
    """The greeting is the server's own."""
    player.begin()
    name = player.greeting["serverInfo"]["name"]
    assert name == player.name, f"the server is called {name!r}"
    return f"{name}, {player.greeting['protocolVersion']}"


def check_sign_in(player: Player) -> str:
    """One tab was opened for the greeting, which a person has seen to its end; or none was."""
    if isinstance(player.scene.sign_in, Absent):
        assert player.tabs == 0, f"{say(player.tabs, 'tab')} where nobody signs in"
        raise NotOffered(player.scene.sign_in.why)
    wanted = player.sign_in.tabs
    assert player.tabs == wanted, f"{say(player.tabs, 'tab')}, not {wanted}"
    player.check_visits()
    if player.token_requests() is None:
        return say(player.tabs, "tab")
    asked = more_than(0, player.token_requests)
    assert asked, "the token endpoint was never asked"
    return f"{say(player.tabs, 'tab')}, {say(asked, 'token request')}"


def list_tools(player: Player) -> str:
    """The tool is there."""
    names: list[str] = []
    params: Json = {}
    while True:
        answer = player.host.request("tools/list", params)
        assert "result" in answer, f"the list was answered by {answer['error']}"
        names += [tool["name"] for tool in answer["result"]["tools"]]
        cursor = answer["result"].get("nextCursor")
        if cursor is None:
            break
        params = {"cursor": cursor}
    assert player.scene.call.tool in names, f"the tools are {names}"
    return say(len(names), "tool")


def call_tool(player: Player) -> str:
    """The tool answers."""
    return player.call(player.scene.call)[:80]


def be_asked(player: Player) -> str:
    """The server turns to the host during a call, before its result."""
    ask = offered(player.scene.ask)
    host = player.host

    def count() -> int:
        seen = host.notifications if ask.answer is None else host.server_requests
        return sum(one["method"] == ask.method for one in seen)

    before = count()
    player.call(ask.call)
    assert count() > before, f"no {ask.method} came before the answer"
    return ask.method


def outlive_token(player: Player) -> str:
    """The token ends, and the next call works: renewed, or with one tab more."""
    how = player.sign_in
    expire = offered(how.expire)
    tabs, asked = player.tabs, player.token_requests()
    player.wait_for(expire)
    player.call(player.scene.call)
    wanted = 0 if how.renews else how.tabs
    assert player.tabs - tabs == wanted, f"{say(player.tabs - tabs, 'tab')} more, not {wanted}"
    if asked is None:
        return f"{say(wanted, 'tab')}"
    more = more_than(asked, player.token_requests)
    assert more, "the token endpoint was not asked: the token did not end"
    return f"{say(wanted, 'tab')}, {say(more, 'token request')}"


def restart(player: Player) -> str:
    """A new process goes on with what is stored: no tab, at most one token request."""
    tabs, asked = player.tabs, player.token_requests()
    player.end()
    has_ended = player.sleep_over()
    player.begin()
    player.call(player.scene.call)
    assert player.tabs == tabs, f"{say(player.tabs - tabs, 'tab')} more"
    if asked is None:
        return "0 tabs"
    more = (
        more_than(asked, player.token_requests)
        if has_ended
        else (player.token_requests() or 0) - asked
    )
    assert more <= 1, f"{say(more, 'token request')}"
    assert more or not has_ended, "the token endpoint was not asked: the token did not end"
    return f"0 tabs, {say(more, 'token request')}"


def outlive_server(player: Player) -> str:
    """The server is killed and started; the next call of the same host works."""
    how = offered(player.scene.restart)
    host, tabs = player.host, player.tabs
    player.wait_for(how.again)
    if how.refuses:
        params = {"name": player.scene.call.tool, "arguments": player.scene.call.arguments}
        answer = host.request("tools/call", params)
        assert how.refuses in str(answer.get("error")), f"it was answered by {answer}"
        return f"refused: {how.refuses}"
    player.call(player.scene.call)
    more = player.tabs - tabs
    assert more == how.tabs, f"{say(more, 'tab')} more, not {how.tabs}"
    return f"the same session of the host, {say(more, 'tab')}"


def log_out(player: Player) -> str:
    """Nothing that could be used is left: no file, no token at the server, and then a new tab."""
    how = player.sign_in
    player.check_logout()
    before = None if isinstance(how.revocations, Absent) else how.revocations()
    player.end()
    assert player.stored(), "nothing was stored"
    left = player.log_out()
    assert not left, f"still there: {', '.join(path.name for path in left)}"
    seen = [how.revocations.why] if isinstance(how.revocations, Absent) else []
    if before is not None and not isinstance(how.revocations, Absent):
        revoked = more_than(before, how.revocations)
        assert revoked, "nothing was revoked"
        seen = [say(revoked, "revocation")]
    tabs = player.tabs
    player.begin()
    assert player.tabs - tabs == how.tabs, f"{say(player.tabs - tabs, 'tab')} afterwards"
    return ", ".join(["files gone", *seen, f"then {say(how.tabs, 'tab')}"])


STEPS: tuple[tuple[str, Callable[[Player], str]], ...] = (
    ("connect", connect),
    ("sign in", check_sign_in),
    ("list", list_tools),
    ("call", call_tool),
    ("server asks", be_asked),
    ("token ends", outlive_token),
    ("restart", restart),
    ("server restarts", outlive_server),
    ("logout", log_out),
)
"""What each is called in the table, in the order in which they are played."""


def play(scene: Scene, command: Command, folder: Path, *, by_hand: bool = False) -> list[Outcome]:
    """Plays all steps; one that fails does not end the story, unless there is no connection.

    By hand, the command is started as it is and not by a fork (`tests.harness.warm`), so that its
    seconds can be compared; and the token ends once more while no command runs.
    """
    outcomes: list[Outcome] = []
    with Player(scene, command, folder, by_hand=by_hand) as player:
        for name, step in STEPS:
            if outcomes and outcomes[0].result == FAILED:
                outcomes.append(Outcome(name, FAILED, UNREACHED, 0.0))
                continue
            outcomes.append(_play_step(name, step, player))
    return outcomes


def _play_step(name: str, step: Callable[[Player], str], player: Player) -> Outcome:
    player.waited = 0.0
    began = time.monotonic()
    result, words = OK, ""
    try:
        words = step(player)
    except NotOffered as error:
        result, words = ABSENT, str(error)
    except Exception as error:
        result, words = FAILED, _words_of(error)
    return Outcome(name, result, words, time.monotonic() - began - player.waited)


def _words_of(error: Exception) -> str:
    kind = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: "
    said, _, logged = f"{kind}{error}".partition("; stderr: ")
    faults = [line for line in logged.splitlines() if "rror" in line]
    if faults:
        said += f"; it had logged: {faults[-1]}"
    return scrub(said)[:MAX_WORDS]


def scrub(words: str) -> str:
    """Without what differs from run to run, and paths of this machine."""
    words = re.sub(r"(file://|/tmp/)\S+", "...", " ".join(words.split()))
    words = re.sub(r"\[\d+\] ", "", words)
    return re.sub(r"(localhost|127\.0\.0\.1):\d+", r"\1:PORT", words)
