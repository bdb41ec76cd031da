"""The command that adds a package is right for each way in which people install this program."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcp_remote_py.signing.installers import explain_extra

ROWS = {
    "/home/me/.cache/uv/archive-v0/1bwV9DISf21T4cga": (
        'Start the command as: uvx --from "mcp-remote-py[aws]" mcp-remote-py',
        'Start the command as: uvx --with "botocore[crt]" --from "mcp-remote-py[aws]"'
        " mcp-remote-py",
    ),
    r"C:\Users\me\AppData\Local\uv\cache\archive-v0\x1": (
        'Start the command as: uvx --from "mcp-remote-py[aws]" mcp-remote-py',
        'Start the command as: uvx --with "botocore[crt]" --from "mcp-remote-py[aws]"'
        " mcp-remote-py",
    ),
    "/home/me/.local/share/uv/tools/mcp-remote-py": (
        'Run: uv tool install "mcp-remote-py[aws]"',
        'Run: uv tool install --with "botocore[crt]" "mcp-remote-py[aws]"',
    ),
    r"C:\Users\me\AppData\Roaming\uv\data\tools\mcp-remote-py": (
        'Run: uv tool install "mcp-remote-py[aws]"',
        'Run: uv tool install --with "botocore[crt]" "mcp-remote-py[aws]"',
    ),
    "/home/me/.local/share/pipx/venvs/mcp-remote-py": (
        "Run: pipx inject mcp-remote-py botocore",
        'Run: pipx inject mcp-remote-py "botocore[crt]"',
    ),
    r"C:\Users\me\pipx\venvs\mcp-remote-py": (
        "Run: pipx inject mcp-remote-py botocore",
        'Run: pipx inject mcp-remote-py "botocore[crt]"',
    ),
    "/home/me/.cache/pipx/4f2f2c7b9d6a1c8": (
        'Start the command as: pipx run --spec "mcp-remote-py[aws]" mcp-remote-py',
        'Start the command as: pipx run --spec "mcp-remote-py[aws]" mcp-remote-py',
    ),
    "/Users/me/Library/Caches/pipx/4f2f2c7b9d6a1c8": (
        'Start the command as: pipx run --spec "mcp-remote-py[aws]" mcp-remote-py',
        'Start the command as: pipx run --spec "mcp-remote-py[aws]" mcp-remote-py',
    ),
    "/opt/desk/venv": (
        'Run: "/opt/desk/venv/bin/python" -m pip install botocore',
        'Run: "/opt/desk/venv/bin/python" -m pip install "botocore[crt]"',
    ),
}
"""By the folder of the environment: for the extra alone, and with one of its own extras."""


@pytest.mark.parametrize("prefix", ROWS)
def test_the_command_for_an_environment(prefix: str) -> None:
    python = f"{prefix}/bin/python"
    plain, more = ROWS[prefix]
    assert explain_extra("aws", ["botocore"], prefix, python) == plain
    assert explain_extra("aws", ["botocore[crt]"], prefix, python) == more


def test_an_environment_of_uv_has_no_pip(tmp_path: Path) -> None:
    (tmp_path / "pyvenv.cfg").write_text("home = /usr/bin\nuv = 0.9.1\nversion_info = 3.13.1\n")
    said = explain_extra("aws", ["botocore"], str(tmp_path), "/opt/v/bin/python")
    assert said == 'Run: uv pip install --python "/opt/v/bin/python" botocore'
    (tmp_path / "pyvenv.cfg").write_text("home = /usr/bin/uv = x\nversion = 3.13.1\n")
    said = explain_extra("aws", ["botocore"], str(tmp_path), "/opt/v/bin/python")
    assert said == 'Run: "/opt/v/bin/python" -m pip install botocore'
