"""Mutation testing: each small change of a module that its tests do not notice is shown.

    .venv/bin/python -m tests.mutation net/http1

The tests are collected once; each mutant is a fork in which the module's functions, constants and
tables are replaced by changed ones, and the tests run until one fails. Quick tests come first, and
before them those that killed last. What survives is judged by a person, in docs/mutation.md. Must
not know what a module is about.
"""

from __future__ import annotations

import ast
import os
import resource
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from enum import EnumMeta
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, NamedTuple, TypeGuard, cast

import pytest

SUITES = {
    "oauth/policy": ["tests/oauth/test_policy.py", "tests/test_never_a_loop.py"],
    "net/http1": ["tests/net/test_http1.py", "tests/net/test_answer_limits.py"],
    "relay/delivery": ["tests/relay/test_delivery.py"],
    "relay/outage": ["tests/relay/test_outage.py"],
}
"""By module of the package: the tests that are its own."""

CPU_SECONDS = 2.0
"""For one test, beside five times what it takes without a mutant; more counts as killed by time."""

MEMORY_BYTES = 4 << 30

Node = ast.AST

_COMPARISONS: dict[type[ast.cmpop], list[type[ast.cmpop]]] = {
    ast.Lt: [ast.LtE, ast.GtE],
    ast.LtE: [ast.Lt, ast.Gt],
    ast.Gt: [ast.GtE, ast.LtE],
    ast.GtE: [ast.Gt, ast.Lt],
    ast.Eq: [ast.NotEq],
    ast.NotEq: [ast.Eq],
    ast.Is: [ast.IsNot],
    ast.IsNot: [ast.Is],
    ast.In: [ast.NotIn],
    ast.NotIn: [ast.In],
}

_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}


class Mutant(NamedTuple):
    """A module in which `node` stands at `path`; `change` is told to people."""

    line: int
    change: str
    path: tuple[tuple[str, int | None], ...]
    node: Node


def change_node(node: Node, members: dict[str, list[str]]) -> Iterator[tuple[str, Node]]:
    """What stands in a node's place, each with the name of the change."""
    match node:
        case ast.Compare(left, ops, comparators):
            for place, one in enumerate(ops):
                for other in _COMPARISONS[type(one)]:
                    new = [*ops[:place], other(), *ops[place + 1 :]]
                    yield "comparison", ast.Compare(left, new, comparators)
        case ast.BoolOp(op, values):
            yield "and/or", ast.BoolOp(ast.And() if isinstance(op, ast.Or) else ast.Or(), values)
            for place in range(len(values)):
                left = values[:place] + values[place + 1 :]
                yield "operand", left[0] if len(left) == 1 else ast.BoolOp(op, left)
        case ast.UnaryOp(ast.Not(), operand):
            yield "not", operand
        case ast.BinOp(left, op, right) if type(op) in _ARITHMETIC:
            yield "arithmetic", ast.BinOp(left, _ARITHMETIC[type(op)](), right)
            if not isinstance(left, ast.Constant):
                yield "right side", left
            if not isinstance(right, ast.Constant):
                yield "left side", right
        case ast.Constant(bool(value)):
            yield "constant", ast.Constant(not value)
        case ast.Constant(int(value) | float(value)):
            yield "constant", ast.Constant(value + 1)
            yield "constant", ast.Constant(value - 1)
        case ast.Constant(str(value)):
            yield "text", ast.Constant(f"XX{value}")
        case ast.Constant(bytes(value)):
            yield "bytes", ast.Constant(b"XX" + value)
        case ast.IfExp(test, body, orelse):
            yield "condition", ast.IfExp(ast.UnaryOp(ast.Not(), test), body, orelse)
        case ast.Call(function, arguments, keywords):
            for place in range(len(keywords)):
                left = keywords[:place] + keywords[place + 1 :]
                yield "keyword", ast.Call(function, arguments, left)
        case ast.Subscript(value, ast.Slice(lower, upper, step), context):
            if lower is not None:
                yield "slice", ast.Subscript(value, ast.Slice(None, upper, step), context)
            if upper is not None:
                yield "slice", ast.Subscript(value, ast.Slice(lower, None, step), context)
        case ast.Attribute(ast.Name(name) as value, attribute, context) if name in members:
            known = members[name]
            other_member = known[(known.index(attribute) + 1) % len(known)]
            yield "member", ast.Attribute(value, other_member, context)
        case ast.Tuple(elements, ast.Load()) | ast.List(elements, ast.Load()):
            make = ast.Tuple if isinstance(node, ast.Tuple) else ast.List
            for place in range(len(elements)):
                left = elements[:place] + elements[place + 1 :]
                yield "element", make(left, ast.Load())
        case ast.Set(elements):
            for place in range(len(elements)):
                left = elements[:place] + elements[place + 1 :]
                empty = ast.Call(ast.Name("set", ast.Load()), [], [])
                yield "element", ast.Set(left) if left else empty
        case ast.Dict(keys, values):
            for place in range(len(keys)):
                yield (
                    "entry",
                    ast.Dict(
                        keys[:place] + keys[place + 1 :], values[:place] + values[place + 1 :]
                    ),
                )
        case ast.Return(value) if value is not None and not _is_none(value):
            yield "return", ast.Return(ast.Constant(None))
        case ast.AugAssign(target, op, value) if type(op) in _ARITHMETIC:
            yield "arithmetic", ast.AugAssign(target, _ARITHMETIC[type(op)](), value)
            yield "statement", ast.Pass()
        case ast.If(test, body, orelse):
            yield "condition", ast.If(ast.UnaryOp(ast.Not(), test), body, orelse)
            yield "condition", ast.If(ast.Constant(False), body, orelse)
            yield "condition", ast.If(ast.Constant(True), body, orelse)
        case ast.Break() | ast.Continue() | ast.Raise() | ast.Delete():
            yield "statement", ast.Pass()
        case ast.Expr(value) if not isinstance(value, ast.Constant):
            yield "statement", ast.Pass()
        case ast.Assign(targets) if all(isinstance(one, ast.Attribute) for one in targets):
            yield "statement", ast.Pass()
        case _:
            return


def _is_none(node: Node) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _places(node: Node, path: tuple[tuple[str, int | None], ...] = ()) -> Iterator[Any]:
    """Paths to all nodes that are run; annotations, imports and docstrings are not."""
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list", "bases", "type_ignores"):
            continue
        for place, one in enumerate(value) if isinstance(value, list) else ((None, value),):  # pyright: ignore
            if not isinstance(one, ast.AST) or isinstance(one, ast.Import | ast.ImportFrom):
                continue
            if isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant):
                continue
            here = (*path, (field, place))
            yield here, one
            yield from _places(one, here)


def make_mutants(text: str, members: dict[str, list[str]]) -> Iterator[Mutant]:
    """All mutants of a module, in the order of its lines."""
    tree = ast.parse(text)
    for path, node in _places(tree):
        for kind, new in change_node(node, members):
            before, after = _shorten(node, new)
            change = f"{kind}: {before} -> {after}"
            yield Mutant(getattr(node, "lineno", 0), change, path, new)


def _apply(mutant: Mutant, text: str) -> ast.Module:
    tree = ast.parse(text)
    parent: Any = tree
    for field, place in mutant.path[:-1]:
        parent = getattr(parent, field)
        parent = parent if place is None else parent[place]
    field, place = mutant.path[-1]
    if place is None:
        setattr(parent, field, mutant.node)
    else:
        getattr(parent, field)[place] = mutant.node
    return ast.fix_missing_locations(tree)


def _shorten(old: Node, new: Node) -> tuple[str, str]:
    texts = [" ".join(ast.unparse(ast.fix_missing_locations(one)).split()) for one in (old, new)]
    if isinstance(old, ast.If):
        texts = [text.partition(": ")[0] for text in texts]
    same = len(os.path.commonprefix(texts))  # noqa: RUF071 - of texts, not of paths
    start = max(0, same - 30)
    return texts[0][start : start + 80], texts[1][start : start + 80]


def put_in(module: ModuleType, mutant: Mutant) -> None:
    """Puts the changed code into the loaded module, whoever has its names already.

    Its classes stay the same objects, so that what is there of them stays of them.
    """
    text = Path(str(module.__file__)).read_text()
    tree = _apply(mutant, text)
    plain = {one.name: ast.dump(one) for one in ast.parse(text).body if _is_class(one)}
    for one in tree.body:
        if _is_class(one) and plain[one.name] != ast.dump(one):
            _change_class(getattr(module, one.name), _run([one], dict(vars(module)))[one.name])
    rest = [one for one in tree.body if not _is_class(one)]
    space = {name: value for name, value in vars(module).items() if isinstance(value, type)}
    space = _run(rest, {**space, "__name__": module.__name__})
    for node in rest:
        match node:
            case ast.FunctionDef(name) | ast.AsyncFunctionDef(name):
                _change_function(getattr(module, name), space[name])
            case ast.Assign([ast.Name(name)]) | ast.AnnAssign(ast.Name(name)):
                old = getattr(module, name)
                for other in list(sys.modules.values()):
                    if getattr(other, "__dict__", {}).get(name) is old:
                        setattr(other, name, space[name])
            case _:
                pass


def _is_class(node: ast.stmt) -> TypeGuard[ast.ClassDef]:
    return isinstance(node, ast.ClassDef)


def _run(nodes: list[ast.stmt], space: dict[str, Any]) -> dict[str, Any]:
    exec(compile(ast.Module(nodes, []), "mutant", "exec"), space)  # noqa: S102 - that is the point
    return space


def _change_function(old: FunctionType, new: FunctionType) -> None:
    old.__code__ = new.__code__
    old.__defaults__, old.__kwdefaults__ = new.__defaults__, new.__kwdefaults__


def _change_class(old: type, new: type) -> None:
    if isinstance(old, EnumMeta):
        for mine, other in zip(old, new, strict=True):  # pyright: ignore
            mine._value_ = other._value_  # pyright: ignore
        return
    for name, value in vars(new).items():
        present = vars(old).get(name)
        if isinstance(present, FunctionType):
            _change_function(present, value)
        elif isinstance(present, property):
            _change_function(cast("FunctionType", present.fget), value.fget)
        elif not name.startswith("__"):
            setattr(old, name, value)


class Player:
    """A plugin of pytest that runs the tests once for each mutant, in a fork."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.outcomes: Counter[str] = Counter()

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        module = sys.modules["mcp_remote_py." + self.name.replace("/", ".")]
        members = {
            name: list(value.__members__)
            for name, value in vars(module).items()
            if isinstance(value, EnumMeta)
        }
        items = list(session.items)
        outcome, seconds = self._play(session, items, None, [60.0] * len(items))
        if outcome != "survived":
            raise SystemExit(f"the tests fail without a mutant: {outcome}")
        print(f"{len(items)} tests, {sum(seconds):.0f} s", flush=True)
        tests = sorted(zip(seconds, items, strict=True), key=lambda one: one[0])
        mutants = list(make_mutants(Path(str(module.__file__)).read_text(), members))
        for number, mutant in enumerate(mutants, 1):
            limits = [CPU_SECONDS + 5 * usual for usual, _ in tests]
            change = partial(put_in, module, mutant)
            outcome, played = self._play(session, [item for _, item in tests], change, limits)
            self.outcomes[outcome] += 1
            if outcome == "survived":
                print(f"{self.name}.py:{mutant.line}: {mutant.change}", flush=True)
            elif played:
                tests.insert(0, tests.pop(len(played) - 1))
            if number % 50 == 0:
                print(f"... {number} of {len(mutants)}", flush=True)
        print(f"{self.name}: {len(mutants)} mutants, {dict(self.outcomes)}", flush=True)
        return True

    def _play(
        self,
        session: pytest.Session,
        items: list[pytest.Item],
        change: Callable[[], None] | None,
        limits: list[float],
    ) -> tuple[str, list[float]]:
        """The outcome, and the seconds of each test that was begun."""
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            _run_tests(session, items, change, limits, writing)
        os.close(writing)
        with open(reading, "rb", buffering=0) as pipe:
            times = [time.monotonic() for _ in iter(partial(pipe.read, 1), b"")]
        times.append(time.monotonic())
        _, status = os.waitpid(child, 0)
        seconds = [after - before for before, after in pairwise(times)]
        if os.WIFSIGNALED(status):
            return "timed out" if os.WTERMSIG(status) == signal.SIGPROF else "crashed", seconds
        return "killed" if os.WEXITSTATUS(status) else "survived", seconds


def _run_tests(
    session: pytest.Session,
    items: list[pytest.Item],
    change: Callable[[], None] | None,
    limits: list[float],
    writing: int,
) -> None:
    """In the fork: says a byte when a test begins, and ends when one fails."""
    silent = os.open(os.devnull, os.O_RDWR)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    os.set_inheritable(writing, False)
    try:
        if change is not None:
            change()
    except BaseException:
        os._exit(1)
    for number, item in enumerate(items):
        following = items[number + 1] if number + 1 < len(items) else None
        os.write(writing, b".")
        signal.setitimer(signal.ITIMER_PROF, limits[number])
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.testsfailed:
            os._exit(1)
    os._exit(0)


def main(names: list[str]) -> int:
    """Plays the mutants of these modules, all of them by default."""
    for name in names or SUITES:
        if os.fork() == 0:
            options = ["-q", "-s", "-p", "no:cacheprovider", "-p", "no:xdist", "-W", "ignore"]
            os._exit(pytest.main([*options, *SUITES[name]], plugins=[Player(name)]))
        os.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
