"""What a person types to add a package to the environment we run in: it depends on who made it.

Must not know what the package is for.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from mcp_remote_py.patterns import lazy_pattern
from mcp_remote_py.values import Value


class _Installer(Value, frozen=True):
    shape: re.Pattern[str]
    """What is in the path of an environment it makes, with "/" between its parts."""
    sentence: str


_INSTALLERS: Sequence[_Installer] = (
    # uv: an environment for each command line, in its cache.
    _Installer(
        lazy_pattern(r"/archive-v0/"),
        'Start the command as: uvx{options} --from "{package}" mcp-remote-py',
    ),
    _Installer(lazy_pattern(r"/uv/(?:data/)?tools/"), 'Run: uv tool install{options} "{package}"'),
    # `pipx run`: the same as uvx, in a folder of the cache or, in older versions, of its own.
    _Installer(
        lazy_pattern(r"/pipx/\.?[cC]ache/|/(?:\.cache|Caches)/pipx/"),
        'Start the command as: pipx run --spec "{package}" mcp-remote-py',
    ),
    _Installer(lazy_pattern(r"/pipx/venvs/"), "Run: pipx inject mcp-remote-py {requirements}"),
)


def explain_extra(extra: str, requirements: Sequence[str], prefix: str, python: str) -> str:
    """One sentence, without a full stop, that ends with the command.

    `requirements` are the packages of the `extra`, or more than these; `prefix` is where the
    environment is, `python` its interpreter.
    """
    path = prefix.replace("\\", "/") + "/"
    package = f"mcp-remote-py[{extra}]"
    quoted = " ".join(f'"{one}"' if "[" in one else one for one in requirements)
    more = [one for one in requirements if "[" in one]
    options = "".join(f' --with "{one}"' for one in more)
    for one in _INSTALLERS:
        if one.shape.search(path):
            return one.sentence.format(options=options, package=package, requirements=quoted)
    # uv makes environments without pip, and leaves its mark in them.
    if _is_made_by_uv(prefix):
        return f'Run: uv pip install --python "{python}" {quoted}'
    return f'Run: "{python}" -m pip install {quoted}'


def _is_made_by_uv(prefix: str) -> bool:
    try:
        with open(os.path.join(prefix, "pyvenv.cfg"), encoding="utf-8", errors="replace") as file:
            return any(
                line.partition("=")[0].strip() == "uv" for line in file.read(4096).split("\n")
            )
    except OSError:
        return False
