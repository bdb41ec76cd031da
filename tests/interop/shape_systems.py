"""Servers in the shape of products that nobody can run here, as rows of the table.

Their quirks and the sources of these are in `shapes`; the gate's part is `test_shapes`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from tests.interop.shaped_server import ASK, Shape, ShapedServer, is_revocable
from tests.interop.shapes import SHAPES
from tests.interop.systems import Absent, Call, Restart, Scene, SignIn, System, asks_name


def scene_of(server: ShapedServer) -> Scene:
    """The running server as a scene."""
    shape = server.shape

    def again() -> None:
        server.kill()
        server.restart()

    revocations = Absent("its metadata do not name a revocation endpoint")
    return Scene(
        url=server.url,
        name=server.name,
        call=Call("echo", {"text": "forty-two"}, "forty-two"),
        ask=asks_name(ASK),
        sign_in=SignIn(
            token_requests=lambda: len(server.received("token")),
            expire=server.expire_tokens,
            renews=shape.renews,
            revocations=server.count_revocations if is_revocable(server) else revocations,
        ),
        restart=Restart(again),
        options=shape.options(server),
        own_options={"ours": shape.own_options(server)},
    )


def _start(shape: Shape) -> Callable[[Path], AbstractContextManager[Scene]]:
    @contextmanager
    def start(_: Path) -> Generator[Scene]:
        with ShapedServer(shape) as server:
            yield scene_of(server)

    return start


SYSTEMS = tuple(
    System(f"shape-{shape.key}", shape.name, lambda: ["a shape, by documents"], _start(shape))
    for shape in SHAPES
)
