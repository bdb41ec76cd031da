"""Runs nginx and HAProxy of Debian and mitmproxy of PyPI as processes of ours.

Each in the foreground, with a configuration made here, in a folder that is thrown away.
Must not know what is asked through them.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.peers.launch import free_port
from tests.real.installation import NotInstalled, privilege
from tests.real.installation import run as run_step
from tests.real.processes import kill_group

HERE = Path(__file__).parent
MITMPROXY_ENVIRONMENT = HERE / ".venv-mitmproxy"
MITMPROXY = "mitmproxy==11.0.2"
"""The last that Python 3.11 runs; in an environment of its own, for what it pins."""
READY_SECONDS = 20.0
"""What mitmproxy takes on a busy machine, and more."""

DEBIAN = {"nginx": "nginx-light", "haproxy": "haproxy"}
"""Commands, and the packages they are in."""


@dataclass(frozen=True)
class Product:
    """One that runs: where it listens, and its folder."""

    process: subprocess.Popen[bytes]
    port: int
    folder: Path

    def log(self, name: str) -> list[str]:
        """The lines of one of its files."""
        with contextlib.suppress(FileNotFoundError):
            return (self.folder / name).read_text(errors="replace").splitlines()
        return []


def find(name: str) -> str | None:
    """The absolute path of that program of Debian, which is not on everybody's PATH."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
    return shutil.which(name, path=path)


def install() -> None:
    """Makes all of them be there.

    Raises:
        NotInstalled: they are not, and cannot be installed from here.
    """
    missing = [package for command, package in DEBIAN.items() if find(command) is None]
    if missing:
        before = privilege()
        if before is None:
            raise NotInstalled(f"Missing: {', '.join(missing)}. Debian: apt install {missing[0]}.")
        # A service that starts by itself is none of ours.
        quiet = ["env", "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1"]
        apt = [*before, *quiet, "apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120"]
        run_step([*apt, "update"], HERE)
        run_step([*apt, "install", "--yes", "--no-install-recommends", *missing], HERE)
    if not mitmdump().is_file():
        run_step([sys.executable, "-m", "venv", "--clear", str(MITMPROXY_ENVIRONMENT)], HERE)
        pip = [str(MITMPROXY_ENVIRONMENT / "bin" / "python"), "-m", "pip"]
        run_step([*pip, "install", "--quiet", "--disable-pip-version-check", MITMPROXY], HERE)


def mitmdump() -> Path:
    """Where mitmproxy's command is."""
    return MITMPROXY_ENVIRONMENT / "bin" / "mitmdump"


@contextlib.contextmanager
def run(
    command: Sequence[str], folder: Path, port: int, host: str = "127.0.0.1"
) -> Generator[Product]:
    """The program, once it listens at `port`."""
    with (folder / "said").open("wb") as sink:
        process = subprocess.Popen(
            list(command),
            cwd=folder,
            env={"PATH": os.environ.get("PATH", os.defpath), "HOME": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_for(process, host, port, folder / "said")
        yield Product(process, port, folder)
    finally:
        kill_group(process)


def wait_for(process: subprocess.Popen[bytes], host: str, port: int, log: Path) -> None:
    """Waits until somebody listens there."""
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            socket.create_connection((host, port), 1).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(log.read_text(errors="replace")[-2000:]) from None
            time.sleep(0.02)
        else:
            return


NGINX = """
daemon off;
{user}
pid {folder}/pid;
error_log {folder}/error.log;
worker_processes 1;
events {{ worker_connections 256; }}
http {{
    log_format short '$request_method $uri $status $request_time $http_x_key';
    access_log {folder}/access.log short;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {http}
    server {{
        listen {listen};
        {server}
        location / {{
            proxy_pass http://{upstream};
            proxy_set_header Host $http_host;
            {location}
        }}
    }}
}}
"""


@contextlib.contextmanager
def nginx(
    folder: Path,
    upstream: str,
    *,
    location: str = "",
    server: str = "",
    http: str = "",
    listen: str = "",
    port: int = 0,
) -> Generator[Product]:
    """One before `upstream`, with these directives in their places.

    `listen` follows the port in its directive.
    """
    port = port or free_port()
    folder.mkdir(parents=True)
    text = NGINX.format(
        folder=folder,
        user="user root;" if os.geteuid() == 0 else "",
        http=http,
        listen=f"127.0.0.1:{port} {listen}".strip(),
        server=server,
        upstream=upstream,
        location=location,
    )
    (folder / "nginx.conf").write_text(text)
    program = find("nginx")
    assert program is not None, "nginx is not installed"
    with run([program, "-p", str(folder), "-c", str(folder / "nginx.conf")], folder, port) as one:
        yield one


HAPROXY = """
global
    maxconn 200
defaults
    mode http
    timeout connect 2s
    timeout client 20s
    timeout server 20s
    {defaults}
frontend front
    bind 127.0.0.1:{port} {bind}
    {frontend}
    default_backend back
backend back
    {backend}
"""


@contextlib.contextmanager
def haproxy(
    folder: Path,
    servers: Sequence[str],
    *,
    defaults: Sequence[str] = (),
    bind: str = "",
    frontend: Sequence[str] = (),
    backend: Sequence[str] = (),
    port: int = 0,
) -> Generator[Product]:
    """One before these servers, each as behind the word `server`."""
    port = port or free_port()
    folder.mkdir(parents=True)
    lines = [*backend, *(f"server {one}" for one in servers)]
    text = HAPROXY.format(
        port=port,
        bind=bind,
        defaults="\n    ".join(defaults),
        frontend="\n    ".join(frontend),
        backend="\n    ".join(lines),
    )
    (folder / "haproxy.cfg").write_text(text)
    program = find("haproxy")
    assert program is not None, "haproxy is not installed"
    with run([program, "-db", "-f", str(folder / "haproxy.cfg")], folder, port) as one:
        yield one


ADDON = """
def server_connect(data):
    data.server.address = ("127.0.0.1", {port})
"""


@contextlib.contextmanager
def mitmproxy(folder: Path, target: int, *options: str) -> Generator[Product]:
    """One that makes a certificate for each server, and goes to port `target` with it all.

    Its authority is `mitmproxy-ca-cert.pem` in its folder.
    """
    port = free_port()
    folder.mkdir(parents=True)
    (folder / "addon.py").write_text(ADDON.format(port=target))
    command = [str(mitmdump()), "--listen-host", "127.0.0.1", "-p", str(port)]
    command += ["--set", f"confdir={folder}", "--set", "connection_strategy=lazy"]
    command += ["--set", "ssl_insecure=true", "-s", str(folder / "addon.py"), *options]
    with run(command, folder, port) as one:
        yield one
