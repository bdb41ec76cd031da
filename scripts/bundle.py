"""Makes an MCP bundle: a manifest, the wheel, and how uv runs it; checked and packed by mcpb.

`server.type` is `uv`, which is in the specification's version 0.4 and still called experimental
there: one bundle for every system. Must not know what the fields of the form mean: bundle_main.py
has them.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from shutil import copyfile
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from hatchling.builders.wheel import WheelBuilder  # noqa: E402

from scripts.bundle_main import FIELDS  # noqa: E402
from tests.real.installation import NODE_MODULES, find_node, install_node_packages  # noqa: E402

MCPB = NODE_MODULES / "@anthropic-ai" / "mcpb" / "dist" / "cli" / "cli.js"
MAIN = "main.py"
MANIFEST_VERSION = "0.4"
LONG_DESCRIPTION = """\
Uses a remote MCP server from its address alone. Where the server wants a sign-in, the browser opens
once; the sign-in is kept. Install it once for each server.
"""


def make_manifest(metadata: Any) -> dict[str, Any]:
    """The manifest of that project; every member is of the specification."""
    core = metadata.core
    return {
        "manifest_version": MANIFEST_VERSION,
        "name": core.name,
        "display_name": "Remote MCP server",
        "version": metadata.version,
        "description": core.description,
        "long_description": LONG_DESCRIPTION,
        "author": {"name": core.authors[0]["name"]},
        "server": {
            "type": "uv",
            "entry_point": MAIN,
            "mcp_config": {
                "command": "uv",
                "args": ["run", "--directory", "${__dirname}", MAIN],
                "env": {
                    **{one.variable: f"${{user_config.{one.name}}}" for one in FIELDS},
                    # A company's authority: nobody can edit the environment of a bundle.
                    "UV_SYSTEM_CERTS": "true",
                },
            },
        },
        "tools_generated": True,
        "prompts_generated": True,
        "keywords": core.keywords,
        "license": core.license,
        "compatibility": {
            "platforms": ["darwin", "linux", "win32"],
            "runtimes": {"python": core.requires_python},
        },
        "user_config": {one.name: make_field(one) for one in FIELDS},
    }


def make_field(field: Any) -> dict[str, Any]:
    """A field of the form, as the host shows it."""
    made: dict[str, Any] = {
        "type": field.kind,
        "title": field.title,
        "description": field.description,
        "required": field.default is None,
    }
    if field.default is not None:
        made["default"] = field.default
    if field.sensitive:
        made["sensitive"] = True
    return made


def make_project(metadata: Any, wheel: str) -> str:
    """What uv reads: the wheel in the bundle, which brings its dependencies."""
    name = metadata.core.name
    return (
        f'[project]\nname = "{name}-bundle"\nversion = "{metadata.version}"\n'
        f'requires-python = "{metadata.core.requires_python}"\ndependencies = ["{name}"]\n\n'
        f'[tool.uv]\npackage = false\n\n[tool.uv.sources]\n{name} = {{ path = "{wheel}" }}\n'
    )


def write_bundle(folder: Path) -> None:
    """All files of the bundle."""
    builder: Any = WheelBuilder(str(ROOT))
    (built,) = builder.build(directory=str(folder), versions=["standard"])
    metadata = builder.metadata
    (folder / "manifest.json").write_text(json.dumps(make_manifest(metadata), indent=2) + "\n")
    (folder / "pyproject.toml").write_text(make_project(metadata, Path(built).name))
    copyfile(ROOT / "scripts" / "bundle_main.py", folder / MAIN)
    copyfile(ROOT / "LICENSE", folder / "LICENSE")


def run_mcpb(*words: str) -> None:
    """Runs the format's own tool.

    Raises:
        subprocess.CalledProcessError: it found something; its words are on stderr.
    """
    subprocess.run([find_node(), str(MCPB), *words], stdout=2, check=True, timeout=60)


def make_bundle(target: Path) -> Path:
    """Writes the bundle into that folder; its path."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "bundle"
        folder.mkdir()
        write_bundle(folder)
        (wheel,) = folder.glob("*.whl")
        made = target / f"{'-'.join(wheel.name.split('-')[:2])}.mcpb"
        run_mcpb("validate", str(folder / "manifest.json"))
        run_mcpb("pack", str(folder), str(made))
    return made


def main() -> None:
    """Makes one and says where it is."""
    parser = argparse.ArgumentParser(description="Makes an MCP bundle.")
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "dist")
    target = parser.parse_args().folder
    target.mkdir(parents=True, exist_ok=True)
    install_node_packages()
    print(make_bundle(target.resolve()))


if __name__ == "__main__":
    main()
