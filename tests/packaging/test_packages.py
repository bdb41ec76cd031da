"""Wheel and sdist, looked into from outside: what is in them, what they say, that they are whole.

They are built once, by the backend that builds the real ones. Must not know how it does that.
"""

from __future__ import annotations

import re
import tarfile
import tomllib
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder
from packaging.requirements import Requirement
from twine.commands.check import check
from validate_pyproject.api import Validator

from mcp_remote_py import __version__

ROOT = Path(__file__).parent.parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

MADE = {
    *(
        ".venv",
        ".venv-lowest",
        ".venv-release",
        ".venv-fastmcp",
        "node_modules",
        "__pycache__",
        ".pytest_cache",
    ),
    *(".ruff_cache", ".hypothesis", ".wrangler", ".benchmark", "dist", "build", ".git"),
}
"""Folders that work makes; none of them is anybody's to have."""

PLACES = (".ci/run", "docs/security.md", "requirements.lock", "scripts/test", "tests/conftest.py")
"""What somebody needs to go on from the sdist; one of each kind."""

COMMANDS = ("scripts/test", "scripts/set-up", "scripts/demo", "scripts/bundle", ".ci/run")


class Package(NamedTuple):
    """A built file, and each file in it without the folder around them, with its mode."""

    path: Path
    files: dict[str, bytes]
    modes: dict[str, int]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Package:
    return read_wheel(build(WheelBuilder, tmp_path_factory.mktemp("wheel")))


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Package:
    return read_sdist(build(SdistBuilder, tmp_path_factory.mktemp("sdist")))


def build(builder: Any, folder: Path) -> Path:
    (path,) = builder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    return Path(path)


def read_wheel(path: Path) -> Package:
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        files = {one.filename: archive.read(one) for one in entries}
    return Package(path, files, {one.filename: one.external_attr >> 16 for one in entries})


def read_sdist(path: Path) -> Package:
    files: dict[str, bytes] = {}
    modes: dict[str, int] = {}
    with tarfile.open(path) as archive:
        for member in archive:
            folder, _, name = member.name.partition("/")
            assert folder == f"mcp_remote_py-{__version__}"
            assert member.isfile(), f"{name}: a link or a device leads out of it"
            assert (member.uid, member.uname) == (0, ""), "who built it is nobody's business"
            content = archive.extractfile(member)
            assert content is not None
            files[name], modes[name] = content.read(), member.mode
    return Package(path, files, modes)


def metadata_of(package: Package) -> Message:
    name = "PKG-INFO" if "PKG-INFO" in package.files else f"{dist_info(package)}METADATA"
    return Parser().parsestr(package.files[name].decode())


def dist_info(package: Package) -> str:
    return f"mcp_remote_py-{__version__}.dist-info/"


def test_wheel_is_the_package_and_nothing_else(wheel: Package) -> None:
    package = ROOT / "mcp_remote_py"
    own = {
        path.relative_to(ROOT).as_posix()
        for path in package.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert "mcp_remote_py/py.typed" in own
    told = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}
    manual = dist_info(wheel).replace(".dist-info/", ".data/data/share/man/man1/mcp-remote-py.1")
    assert set(wheel.files) == own | {manual, *(dist_info(wheel) + name for name in told)}
    assert len(wheel.path.read_bytes()) < 1_000_000


def test_sdist_is_a_complete_place_to_work_in(sdist: Package) -> None:
    assert set(PLACES) <= set(sdist.files)
    for command in COMMANDS:
        assert sdist.modes[command] & 0o111 == 0o111, f"{command} can be run"
    for name in sdist.files:
        assert not MADE & set(name.split("/")), name
    folders = {name.partition("/")[0] for name in sdist.files if "/" in name}
    assert folders == {".ci", ".github", "docs", "man", "mcp_remote_py", "scripts", "tests"}


def test_what_the_repository_tracks_at_its_top_is_in_the_sdist(sdist: Package) -> None:
    ignored = {line.rstrip("/*") for line in (ROOT / ".gitignore").read_text().split()}
    top = {
        path.name
        for path in ROOT.iterdir()
        if path.is_file() and path.name != ".git" and not path.name.startswith(tuple(ignored))
    }
    assert top <= set(sdist.files)


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_package_does_not_tell_where_it_was_built(
    kind: str, request: pytest.FixtureRequest
) -> None:
    package: Package = request.getfixturevalue(kind)
    # Not every "/workflows" is a file of /work.
    place = re.compile(re.escape(str(ROOT).encode()) + rb"(?![\w-])")
    for name, content in package.files.items():
        assert not place.search(content), name


@pytest.mark.parametrize(("kind", "builder"), [("wheel", WheelBuilder), ("sdist", SdistBuilder)])
def test_package_is_the_same_when_it_is_built_again(
    kind: str, builder: Any, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    package: Package = request.getfixturevalue(kind)
    assert build(builder, tmp_path).read_bytes() == package.path.read_bytes()


def test_sdist_makes_the_same_wheel(wheel: Package, sdist: Package, tmp_path: Path) -> None:
    """Whoever installs from the one gets what whoever installs from the other gets."""
    for name, content in sdist.files.items():
        if name.startswith(("mcp_remote_py/", "man/")) or "/" not in name:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    builder: Any = WheelBuilder(str(tmp_path))
    (again,) = builder.build(directory=str(tmp_path / "again"), versions=["standard"])
    assert Path(again).read_bytes() == wheel.path.read_bytes()


def test_index_takes_both_and_can_show_the_readme(wheel: Package, sdist: Package) -> None:
    assert not check([str(wheel.path), str(sdist.path)], strict=True)


def test_pyproject_is_of_the_standard() -> None:
    Validator()(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8")))


def test_index_shows_what_it_is_whose_it_is_and_what_it_needs(
    wheel: Package, sdist: Package
) -> None:
    told = metadata_of(wheel)
    assert told.items() == metadata_of(sdist).items()
    assert told["Name"] == "mcp-remote-py"
    assert told["Version"] == __version__
    assert told["Summary"] == PROJECT["description"]
    assert len(told["Summary"]) < 120, "a search shows one line"
    assert told["Author"] == "The mcp-remote-py authors"
    assert told["License-Expression"] == "MIT"
    assert told["Description-Content-Type"] == "text/markdown"
    assert str(told.get_payload()).strip() == (ROOT / "README.md").read_text("utf-8").strip()
    wanted = [Requirement(line) for line in told.get_all("Requires-Dist", [])]
    needed = [one for one in wanted if one.marker is None]
    assert sorted(map(str, needed)) == sorted(
        str(Requirement(line)) for line in PROJECT["dependencies"]
    )


def test_classifiers_say_who_it_is_for(wheel: Package) -> None:
    classifiers = metadata_of(wheel).get_all("Classifier", [])
    kinds = {line.partition(" :: ")[0] for line in classifiers}
    assert kinds == {
        *("Development Status", "Environment", "Intended Audience", "Natural Language"),
        *("Operating System", "Programming Language", "Topic", "Typing"),
    }
    assert not any(line.startswith("License ::") for line in classifiers), "PEP 639"
