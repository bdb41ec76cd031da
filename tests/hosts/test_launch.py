"""How a host starts us, by how we were started: a table."""

from __future__ import annotations

import json

import pytest

from mcp_remote_py.hosts.launch import Launch, Surroundings, choose_launch, typed_before

UVX, PIPX = "/home/ada/.local/bin/uvx", "/usr/bin/pipx"
CACHE = "/home/ada/.cache/uv/archive-v0/aB3"
WHEEL = "/srv/my wheels/mcp_remote_py-0.1.0-py3-none-any.whl"
OF_WHEEL = json.dumps(
    {"url": "file://" + WHEEL.replace(" ", "%20"), "archive_info": {"hashes": {}}}
)
OF_FOLDER = json.dumps({"url": "file:///src/mcp", "dir_info": {"editable": True}})
OF_GIT = json.dumps(
    {"url": "https://git.example/r.git", "vcs_info": {"vcs": "git", "commit_id": "0a1b"}}
)
OF_WINDOWS = json.dumps({"url": "file:///C:/My%20Files/a.whl", "archive_info": {}})

ROWS = (
    ("uvx, from the index", CACHE, "", "", Launch(UVX, ("mcp-remote-py",), is_fetched=True)),
    (
        "uvx, from the index, with the extra",
        CACHE,
        "",
        "aws",
        Launch(UVX, ("--from", "mcp-remote-py[aws]", "mcp-remote-py"), is_fetched=True),
    ),
    (
        "uvx, from a wheel",
        CACHE,
        OF_WHEEL,
        "",
        Launch(UVX, ("--from", WHEEL, "mcp-remote-py"), is_fetched=True),
    ),
    (
        "uvx, from a wheel, with the extra",
        CACHE,
        OF_WHEEL,
        "aws",
        Launch(UVX, ("--from", f"{WHEEL}[aws]", "mcp-remote-py"), is_fetched=True),
    ),
    (
        "uvx, from a folder",
        CACHE,
        OF_FOLDER,
        "",
        Launch(UVX, ("--from", "/src/mcp", "mcp-remote-py"), is_fetched=True),
    ),
    (
        "uvx, from a repository",
        CACHE,
        OF_GIT,
        "",
        Launch(
            UVX, ("--from", "git+https://git.example/r.git@0a1b", "mcp-remote-py"), is_fetched=True
        ),
    ),
    (
        "uvx on Windows, from a wheel",
        r"C:\Users\ada\AppData\Local\uv\cache\archive-v0\aB3",
        OF_WINDOWS,
        "",
        Launch(UVX, ("--from", r"C:\My Files\a.whl", "mcp-remote-py"), is_fetched=True),
    ),
    (
        "uvx, and nobody can say where from",
        CACHE,
        "{",
        "",
        Launch(UVX, ("mcp-remote-py",), is_fetched=True),
    ),
    (
        "pipx run",
        "/home/ada/.cache/pipx/0f3",
        "",
        "aws",
        Launch(PIPX, ("run", "--spec", "mcp-remote-py[aws]", "mcp-remote-py"), is_fetched=True),
    ),
    (
        "uv tool install",
        "/home/ada/.local/share/uv/tools/mcp-remote-py",
        "",
        "aws",
        Launch("/home/ada/.local/bin/mcp-remote-py"),
    ),
    (
        "pipx install",
        "/home/ada/.local/share/pipx/venvs/mcp-remote-py",
        "",
        "",
        Launch("/home/ada/.local/bin/mcp-remote-py"),
    ),
    ("pip", "/home/ada/venv", OF_WHEEL, "", Launch("/home/ada/.local/bin/mcp-remote-py")),
)


@pytest.mark.parametrize(
    ("prefix", "direct_url", "extra", "launch"), [row[1:] for row in ROWS], ids=[r[0] for r in ROWS]
)
def test_command_is_found_without_path(
    prefix: str, direct_url: str, extra: str, launch: Launch
) -> None:
    at = Surroundings(
        prefix, "/venv/bin/python", "/home/ada/.local/bin/mcp-remote-py", UVX, PIPX, direct_url
    )
    assert choose_launch(at, extra) == launch


def test_without_a_command_of_our_own_the_interpreter_starts_us() -> None:
    found = choose_launch(Surroundings("/venv", "/venv/bin/python"))
    assert found == Launch("/venv/bin/python", ("-m", "mcp_remote_py"))


@pytest.mark.parametrize(
    ("prefix", "runner"), [(CACHE, "uvx"), ("/home/ada/.cache/pipx/0f3", "pipx")]
)
def test_runner_that_is_not_found_is_said(prefix: str, runner: str) -> None:
    found = choose_launch(Surroundings(prefix, "/p"))
    assert found.command == runner
    assert found.warning == (
        f"{runner} was not found on PATH, so its full path is not known. A desktop program may not"
        " find it: write the full path as the command."
    )


@pytest.mark.parametrize(
    ("prefix", "direct_url", "typed"),
    [
        (CACHE, "", "uvx "),
        (CACHE, OF_WHEEL, f"uvx --from '{WHEEL}' "),
        ("/home/ada/.cache/pipx/0f3", "", "pipx run "),
        ("/home/ada/venv", "", ""),
    ],
)
def test_what_a_person_types_before_our_name(prefix: str, direct_url: str, typed: str) -> None:
    at = Surroundings(prefix, "/p", "/own", UVX, PIPX, direct_url)
    assert typed_before(choose_launch(at)) == typed
