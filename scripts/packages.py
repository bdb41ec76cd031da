"""Makes what is handed to people, in one folder: wheel, sdist, bundle and bill of materials.

All but the bundle is made twice, and must be the same both times. The bill (CycloneDX) lists
requirements-runtime.lock; its own tool writes it, and judges what we add. Must not know how to
publish.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from hatchling.builders.sdist import SdistBuilder  # noqa: E402
from hatchling.builders.wheel import WheelBuilder  # noqa: E402
from packaging.requirements import Requirement  # noqa: E402
from twine.commands.check import check  # noqa: E402

from scripts.bundle import make_bundle  # noqa: E402
from scripts.licences import licence_of  # noqa: E402
from tests.real.installation import install_node_packages  # noqa: E402

LOCK = "requirements-runtime.lock"
TOOLS = ROOT / ".venv-release" / ("Scripts" if os.name == "nt" else "bin")
PATIENCE = 120.0
"""Seconds for one tool."""

JUDGE = """\
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

found = JsonStrictValidator(SchemaVersion.V1_6).validate_str(sys.stdin.read())
sys.exit(f"not CycloneDX 1.6: {found}" if found else 0)
"""
"""For the Python of the tool: what we added to the bill must be of the standard, too."""


def complete_bill(bill: dict[str, Any], version: str, needed: Iterable[str]) -> None:
    """Adds what a lock does not say: our version, what we ask for ourselves, and each licence."""
    root = bill["metadata"]["component"]
    # The tool does not ask the build for a version that is dynamic.
    root |= {"version": version, "purl": f"pkg:pypi/{root['name']}@{version}"}
    references = {one["name"]: one["bom-ref"] for one in bill["components"]}
    asked_for = sorted(references[name] for name in needed)
    for one in bill["dependencies"]:
        if one["ref"] == root["bom-ref"]:
            one["dependsOn"] = asked_for
    for one in bill["components"]:
        one["licenses"] = [{"expression": licence_of(one["name"])}]


def make_bill(version: str, needed: Iterable[str]) -> str:
    """The bill of materials of that version, judged; the same for the same lock.

    `needed` are the packages that `pyproject.toml` asks for.

    Raises:
        subprocess.CalledProcessError: it is not of the standard; the tool's words are on stderr.
    """
    command = [str(TOOLS / "cyclonedx-py"), "requirements", "--pyproject", "pyproject.toml"]
    command += ["--output-reproducible", "--spec-version", "1.6", LOCK]
    # It warns that a lock does not say what depends on what.
    quiet = {**os.environ, "PYTHONWARNINGS": "ignore::UserWarning"}
    made = subprocess.check_output(command, cwd=ROOT, env=quiet, text=True, timeout=PATIENCE)
    bill: dict[str, Any] = json.loads(made)
    complete_bill(bill, version, needed)
    text = json.dumps(bill, indent=2, sort_keys=True) + "\n"
    words = [str(TOOLS / "python"), "-c", JUDGE]
    subprocess.run(words, input=text, text=True, check=True, timeout=PATIENCE)
    return text


def make_files(folder: Path) -> dict[str, Path]:
    """Everything that is the same when it is made again, into that folder, by kind."""
    made: dict[str, Path] = {}
    builders: list[Any] = [WheelBuilder, SdistBuilder]
    metadata: Any = None
    for kind in builders:
        builder = kind(str(ROOT))
        (path,) = builder.build(directory=str(folder), versions=["standard"])
        metadata = builder.metadata
        made[kind.__name__.removesuffix("Builder").lower()] = Path(path)
    extras = metadata.core.optional_dependencies.values()
    needed = [Requirement(one).name for one in chain(metadata.core.dependencies, *extras)]
    bill = folder / f"mcp_remote_py-{metadata.version}.cdx.json"
    bill.write_text(make_bill(metadata.version, needed), "utf-8")
    made["bill of materials"] = bill
    return made


def main() -> int:
    """Makes them; exit status 1 after a line that says what is wrong."""
    parser = argparse.ArgumentParser(description="Makes what is handed to people.")
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "dist")
    folder = parser.parse_args().folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        print(f"{folder} is not empty: what is in it would be published, too.", file=sys.stderr)
        return 1
    install_node_packages()
    made = make_files(folder)
    with tempfile.TemporaryDirectory() as name:
        again = make_files(Path(name))
        differs = [
            kind for kind, path in made.items() if path.read_bytes() != again[kind].read_bytes()
        ]
    if differs:
        print(f"Made again, it is not the same: {', '.join(differs)}.", file=sys.stderr)
        return 1
    if check([str(made["wheel"]), str(made["sdist"])], strict=True):
        return 1
    # mcpb packs with the time of day: only what is in the bundle is the same.
    made["bundle"] = make_bundle(folder)
    for kind, path in made.items():
        print(f"{kind}: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
