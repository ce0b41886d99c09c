"""A PostgreSQL server of Debian's packages in a temporary directory, run by a user who is not root."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

_SETTINGS = """
unix_socket_directories = ''
listen_addresses = '127.0.0.1'
shared_buffers = 32MB
max_connections = 100
log_min_messages = fatal
password_encryption = 'scram-sha-256'
"""
_UNSAFE = """
fsync = off
full_page_writes = off
"""
_LOGINS = """
host all guarded 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
"""
_PATIENCE = 30.0


def programs() -> Path | None:
    """The directory of the server's programs, or None where it is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


def need_postgres() -> None:
    """Skip the test, with the reason, where the server is not installed."""
    if programs() is None:
        pytest.skip("no PostgreSQL server here: apt-get install postgresql")


class PostgresServer:
    """A server that may be stopped and started again, for the user ``tester``.

    Parameters
    ----------
    directory
        Where its data go; must be traversable by others.
    is_safe
        Whether it waits for the disk: for tests that kill it.
    """

    def __init__(self, directory: Path, *, is_safe: bool = False) -> None:
        found = programs()
        assert found is not None
        self._programs = found
        self._data = directory / "data"
        self._user = _ordinary_user()
        self._process: subprocess.Popen[bytes] | None = None
        self.port = _free_port()
        directory.chmod(0o755)
        self._data.mkdir(mode=0o700)
        if self._user is not None:
            os.chown(self._data, *self._user)
        self._run("initdb", "--no-sync", "--username=tester", "--auth=trust", "--encoding=UTF8", "--locale=C")
        with (self._data / "postgresql.conf").open("a") as file:
            file.write(_SETTINGS + ("" if is_safe else _UNSAFE) + f"port = {self.port}\n")
        (self._data / "pg_hba.conf").write_text(_LOGINS)

    def url(self, *, user: str = "tester", database: str = "postgres", schema: str = "") -> str:
        """The value of ``catalog=`` in the URL of a store, quoted."""
        options = f"?options=-csearch_path%3D{schema}" if schema else ""
        return quote(f"postgresql+psycopg://{user}@127.0.0.1:{self.port}/{database}{options}", safe="/:@+")

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        """A connection past the code under test."""
        options = f"host=127.0.0.1 port={self.port} user=tester dbname={database} connect_timeout=10"
        return psycopg.connect(options, autocommit=True)

    def new_schema(self) -> str:
        """Make a schema of its own for a test."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        with self.connect() as connection:
            connection.execute(f"CREATE SCHEMA {name}")
        return name

    def remove_schema(self, name: str) -> None:
        """Remove a schema, and end who still uses it."""
        with self.connect() as connection:
            connection.execute(f"DROP SCHEMA {name} CASCADE")

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        self._process = subprocess.Popen(
            [self._programs / "postgres", "-D", self._data],
            stdout=subprocess.DEVNULL,
            stderr=(self._data.parent / "log").open("ab"),
            **self._as_user(),
        )
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                self.connect().close()
                break
            except psycopg.OperationalError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise AssertionError((self._data.parent / "log").read_text()) from None
                time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """End the server: SIGINT asks for an orderly end, SIGQUIT for an immediate one, SIGKILL for none."""
        process, self._process = self._process, None
        if process is None:
            return
        workers = _children(process.pid)
        process.send_signal(how)
        process.wait(_PATIENCE)
        deadline = time.monotonic() + _PATIENCE
        while any(Path(f"/proc/{worker}").exists() for worker in workers):  # they notice by themselves
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def freeze(self) -> None:
        """Stop every process of the server."""
        self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let the processes go on."""
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number: signal.Signals) -> None:
        assert self._process is not None
        for process in (self._process.pid, *_children(self._process.pid)):
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(process, number)

    def _run(self, program: str, *arguments: str) -> None:
        command = [self._programs / program, "-D", self._data, *arguments]
        subprocess.run(command, check=True, capture_output=True, **self._as_user())

    def _as_user(self):
        ids = (
            {} if self._user is None else {"user": self._user[0], "group": self._user[1], "extra_groups": []}
        )
        return ids | {"cwd": "/"}


@contextmanager
def running_postgres(*, is_safe: bool = False) -> Iterator[PostgresServer]:
    """Run a server for the time of the block."""
    directory = Path(tempfile.mkdtemp(prefix="dvmount-postgres-"))
    try:
        server = PostgresServer(directory, is_safe=is_safe)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(directory)


def _ordinary_user() -> tuple[int, int] | None:
    """Who the server runs as; None for this process's own user."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return entry.pw_uid, entry.pw_gid
    raise AssertionError("no user to run PostgreSQL as")


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
