"""The files that may bring other AWS keys are watched, wherever a person has put them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mcp_remote_py.signing.aws_files import FileStamps, home_folder, key_files


def test_the_usual_files() -> None:
    assert key_files({"HOME": "/home/me"}) == [
        f"/home/me/.aws/{name}"
        for name in ("config", "credentials", "login/cache", "sso/cache", "cli/cache")
    ]


def test_files_that_the_environment_names() -> None:
    environment = {
        "HOME": "/home/me",
        "AWS_CONFIG_FILE": "~/work/aws",
        "AWS_SHARED_CREDENTIALS_FILE": "/run/keys",
        "AWS_LOGIN_CACHE_DIRECTORY": "/run/login",
        "AWS_WEB_IDENTITY_TOKEN_FILE": "/run/token",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "/run/pass",
    }
    assert key_files(environment) == [
        *("/home/me/work/aws", "/run/keys", "/run/login", "/run/token", "/run/pass"),
        *("/home/me/.aws/sso/cache", "/home/me/.aws/cli/cache"),
    ]


@pytest.mark.parametrize(
    ("system", "home"), [("linux", "/home/me"), ("darwin", "/home/me"), ("win32", "/profiles/me")]
)
def test_a_home_has_a_name_in_each_system(system: str, home: str) -> None:
    assert home_folder({"HOME": "/home/me", "USERPROFILE": "/profiles/me"}, system) == home


def test_a_stamp_changes_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "config"
    folder = tmp_path / "cache"
    stamps = [FileStamps([str(path), str(folder)])]

    def look() -> None:
        stamps.append(FileStamps([str(path), str(folder)]))
        assert stamps[-1] not in stamps[:-1]
        assert FileStamps([str(path), str(folder)]) == stamps[-1]

    path.write_text("a")
    look()
    path.write_text("ab")
    look()
    os.utime(path, (1, 1))
    look()
    (tmp_path / "new").write_text("xy")
    os.utime(tmp_path / "new", (1, 1))
    (tmp_path / "new").replace(path)
    look()
    folder.mkdir()
    look()
    (folder / "token.json").write_text("{}")
    look()
    path.unlink()
    look()


def test_what_cannot_be_looked_at_is_not_there() -> None:
    assert FileStamps(["/nowhere/x", "a\0b"]) == FileStamps(["/nowhere/x", "a\0b"])
    assert FileStamps([]) != []


def test_to_watch_one_more_file_is_not_a_change(tmp_path: Path) -> None:
    config, token = str(tmp_path / "config"), str(tmp_path / "token")
    before = FileStamps([config])
    after = FileStamps([config, token])
    assert before == after
    assert after == before
    Path(token).write_text("x")
    assert FileStamps([config, token]) != after
    Path(config).write_text("x")
    assert before != FileStamps([config, token])
    assert FileStamps([config, token]) != before
