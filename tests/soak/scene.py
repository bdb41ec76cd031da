"""The scene of a long run: a home, a browser, a server, and relays that are processes of their own.

Must not know what is played there.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.harness.browser import FakeBrowser, fake_browser
from tests.harness.host import environment_for
from tests.harness.warm import COMMAND
from tests.peers.authorization_server import Policy
from tests.soak.lean import LeanHost, LeanServer

INSTRUMENT = Path(__file__).parent.parent / "harness" / "inside"


@dataclass
class Scene:
    """One machine.

    Attributes:
        notes: where each relay writes what it has inside, by its process id.
        fresh: whether each relay is started as it is, and not by a fork.
    """

    server: LeanServer
    browser: FakeBrowser
    home: Path
    stack: ExitStack
    fresh: bool

    @property
    def notes(self) -> Path:
        return self.home.parent / "inside"

    @property
    def state(self) -> Path:
        """The folder of all that is kept."""
        return self.home / "state"

    def host(self, *options: str, inside: bool = False) -> LeanHost:
        """A host that has started a relay; ended with the scene at the latest."""
        extra: Mapping[str, str] = {
            "BROWSER": str(self.browser.command),
            "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
        }
        if inside:
            extra = {**extra, "PYTHONPATH": str(INSTRUMENT), "INSIDE": str(self.notes)}
        command = [str(COMMAND), self.server.url, "--token-store", "file", *options]
        host = LeanHost(command, environment_for(self.home, extra), patience=60, fresh=self.fresh)
        host.handlers["roots/list"] = lambda _: {"roots": []}
        return self.stack.enter_context(host)


@contextmanager
def set_scene(
    folder: Path, policy: Policy, *, listen: bool, fresh: bool, browser: str = "normal"
) -> Generator[Scene]:
    """A scene in that folder; all is ended with it.

    `listen`: whether the server speaks by itself; `browser`: what the person does, a mode of it.
    """
    with ExitStack() as stack:
        server = stack.enter_context(LeanServer(policy, sessions=True, listen=listen))
        person = stack.enter_context(fake_browser(folder / "browser", browser))
        scene = Scene(server, person, folder / "home", stack, fresh)
        scene.notes.mkdir()
        yield scene
