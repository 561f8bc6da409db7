"""PostgreSQL over TLS, by libpq's options in the URL. The wheel's PostgreSQL has no TLS, so another one is used."""

import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from models.db.database import Database, driver_url
from models.db.read_pool import Fetch
from tests.support.certificates import certificate
from tests.support.patience import PATIENCE
from tests.support.redis_server import free_port

INSTALLED = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
# PostgreSQL refuses to run as root.
USER = "postgres" if os.geteuid() == 0 else None
PASSWORD = "p@ss word"
OWN = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"


@pytest.fixture(scope="module")
def server(scratch: Path) -> Iterator[tuple[int, Path]]:
    """The port of a PostgreSQL that accepts nothing but TLS, and its certificate."""
    if not INSTALLED:
        pytest.skip("no PostgreSQL is installed in /usr/lib/postgresql")
    folder, port = scratch / "tls", free_port()
    folder.mkdir()
    certificate(folder)
    (folder / "password").write_text(PASSWORD)
    (folder / "key.pem").chmod(0o600)
    if USER:
        for path in (folder, *folder.iterdir()):
            shutil.chown(path, USER, pwd.getpwnam(USER).pw_gid)
    data, binaries = folder / "data", INSTALLED[-1].parent
    words = ("-D", data, "-U", "bureau", "--auth=scram-sha-256", f"--pwfile={folder / 'password'}", "--no-sync")
    subprocess.run((binaries / "initdb", *words), user=USER, check=True, stdout=subprocess.DEVNULL)
    (data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 scram-sha-256\n")
    settings = {"ssl": "on", "ssl_cert_file": folder / "certificate.pem", "ssl_key_file": folder / "key.pem"}
    settings |= {"port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off"}
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen((binaries / "postgres", "-D", data, *options), user=USER, stdout=log, stderr=log)
    try:
        end = time.monotonic() + PATIENCE
        while "ready to accept connections" not in (folder / "log").read_text():
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < end
            time.sleep(0.02)
        yield port, folder / "certificate.pem"
    finally:
        process.terminate()
        process.wait(PATIENCE)


def url(port: int, mode: str, root: Path) -> str:
    return f"postgresql://bureau:p%40ss%20word@127.0.0.1:{port}/postgres?sslmode={mode}&sslrootcert={root}"


async def test_both_pools_use_tls(server: tuple[int, Path]) -> None:
    database = Database(url(server[0], "verify-full", server[1]))

    async def own(fetch: Fetch) -> Any:
        return [tuple(row) for row in await fetch(OWN, [], None)]

    try:
        async with database.read() as connection:
            assert (await connection.execute(sa.text(OWN))).scalar_one() is True
        assert await database.read_pool.read(own) == [(True,)]
    finally:
        await database.close()


@pytest.mark.parametrize(
    ("mode", "complaint"), [("verify-full", "CERTIFICATE_VERIFY_FAILED"), ("disable", "no encryption")]
)
async def test_a_strange_certificate_and_no_tls_are_refused(
    server: tuple[int, Path], tmp_path: Path, mode: str, complaint: str
) -> None:
    certificate(tmp_path)
    database = Database(url(server[0], mode, tmp_path / "certificate.pem"))
    try:
        with pytest.raises(Exception, match=complaint):
            async with database.read():
                pass
    finally:
        await database.close()


def test_other_options_stay_in_the_url() -> None:
    parsed = driver_url("postgresql://a@b/c?host=/run/postgresql&sslmode=require")
    assert parsed.query == {"host": "/run/postgresql", "dsn": "postgresql://?sslmode=require"}
    assert driver_url("postgresql://a@b/c").query == {}
