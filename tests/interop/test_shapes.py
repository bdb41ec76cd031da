"""The story of a sign-in, with servers in the shape of real products: the gate's part of it.

What a person has to write is the row's. Must not know how the command is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.harness.browser import fake_browser
from tests.harness.stage import Stage, call
from tests.interop.shaped_server import Shape, ShapedServer
from tests.interop.shapes import SHAPES

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Callable[[Shape], tuple[Stage, ShapedServer]]]:
    """Sets the stage for a product."""
    with ExitStack() as stack:

        def play(shape: Shape) -> tuple[Stage, ShapedServer]:
            server = stack.enter_context(ShapedServer(shape))
            browser = stack.enter_context(fake_browser(tmp_path / "browser"))
            return Stage(server, browser, tmp_path / "home", stack), server

        yield play


@pytest.mark.promise("A1", "A2", "A7", "L1")
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.key)
def test_one_sign_in_lasts(
    play: Callable[[Shape], tuple[Stage, ShapedServer]], shape: Shape
) -> None:
    stage, server = play(shape)
    options = [*shape.options(server), *shape.own_options(server)]
    host = stage.sign_in(*options)
    assert "echo" in {tool["name"] for tool in host.request("tools/list")["result"]["tools"]}
    call(host)
    server.expire_tokens()
    call(host)
    tabs = 1 if shape.renews else 2
    assert stage.counts["tabs"] == tabs
    assert stage.counts["refreshes"] == (1 if shape.renews else 0)
    stage.end(host)
    again = stage.host(*options)
    again.initialize()
    call(again)
    assert stage.counts["tabs"] == tabs
    assert stage.counts["refreshes"] <= 1
    stage.end(again)
