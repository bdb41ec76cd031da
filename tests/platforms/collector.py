"""Finds every place of the package that a platform decides: read from its text.

Must not import the package, nor know what is done there.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "mcp_remote_py"

PLATFORM_NAMES = frozenset({"win32", "darwin", "linux", "wsl", "nt", "posix"})
"""As `sys.platform`, `os.name` and `signin.browser` have them."""

PLATFORM_MODULES = frozenset(
    {"ctypes", "fcntl", "grp", "msvcrt", "pwd", "resource", "select", "termios", "winreg"}
)
"""Modules of the standard library that are not everywhere, or hold other things there."""

ATTRIBUTES = frozenset({"sys.platform", "os.name"})

_OFFERING = frozenset(
    {"asyncio", "ctypes", "errno", "os", "select", "selecting", "signal", "socket", "stat"}
    | {"subprocess", "system", "time"}
)
"""Whose offer depends on the platform, where it is asked for by name (`getattr`, `hasattr`)."""


def collect_branches(package: Path = PACKAGE) -> dict[tuple[str, str], list[int]]:
    """The lines, by file and by the function, class or name at the top of the file."""
    found: dict[tuple[str, str], list[int]] = {}
    for path in sorted(package.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for statement in tree.body:
            lines = sorted(set(_lines_in(statement)))
            if lines:
                place = path.relative_to(package).as_posix(), _name_of(statement)
                found.setdefault(place, []).extend(lines)
    return found


def _name_of(statement: ast.stmt) -> str:
    match statement:
        case ast.FunctionDef(name) | ast.AsyncFunctionDef(name) | ast.ClassDef(name):
            return name
        case ast.Assign([target]) | ast.AnnAssign(target):
            return ast.unparse(target)
        case _:
            return "module"


def _lines_in(statement: ast.stmt) -> Iterator[int]:
    for node in ast.walk(statement):
        if isinstance(node, ast.expr | ast.Import) and _asks(node):
            yield node.lineno


def _asks(node: ast.AST) -> bool:
    match node:
        case ast.Attribute(ast.Name(owner), name):
            is_member = owner == "System" and name.isupper()
            return owner == "platform" or is_member or f"{owner}.{name}" in ATTRIBUTES
        case ast.Import(names):
            return any(one.name in PLATFORM_MODULES for one in names)
        case ast.Call(ast.Name("getattr" | "hasattr"), [ast.Name(owner), *_]):
            return owner in _OFFERING
        case ast.Call(function, [ast.Constant(str(value))]) if value in PLATFORM_MODULES:
            return ast.unparse(function).endswith("_module")
        case ast.Constant(str(value)):
            return value in PLATFORM_NAMES
        case _:
            return False
