"""The findings of the doctor, and its exit status."""

import datetime as dt
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

import models
from models.db.database import Database
from models.db.tables import table_of
from tests.conftest import Databases
from tests.support.server_process import Process, web
from web.cli.doctor import Finding, Level, check_clock, wrong_answers
from web.settings import Settings

SECRET = "a secret of the tests, of no use elsewhere"
NOBODY = "127.0.0.1:9"  # the port of the service `discard`, which nothing listens on


def diagnosis(url: str, **settings: str) -> tuple[int, dict[str, str]]:
    """The status of the command, and by level and subject what it has printed."""
    done = web("doctor", url=url, **settings)
    lines = [line.split(maxsplit=2) for line in (done.stdout + done.stderr).splitlines()]
    return done.returncode, {f"{level} {subject}": text for level, subject, text in lines}


def evidence_in(folder: str) -> list[Path]:
    return [path for path in Path(folder).rglob("*") if path.is_file()]


async def test_what_is_well_is_said_too(databases: Databases, migrated_url: str, tmp_path: Path) -> None:
    url = await databases.new(migrated_url)
    evidence = str(tmp_path / "evidence")
    status, lines = diagnosis(url, HUHANG_SECRET=SECRET, HUHANG_EVIDENCE_URL=evidence)
    assert (status, list(lines)) == (
        1,
        ["warning settings", "ok database", "ok clock", "ok bus", "ok evidence"],
    )
    assert "HUHANG_PUBLIC_URL" in lines["warning settings"]
    assert evidence_in(evidence) == []


async def test_what_is_wrong_is_named_with_what_to_do(databases: Databases, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    status, lines = diagnosis(
        await databases.new(),
        HUHANG_BUS_URL=f"redis://{NOBODY}",
        HUHANG_EVIDENCE_URL=str(tmp_path / "file" / "evidence"),
        HUHANG_PUBLIC_URL=f"http://{NOBODY}",
    )
    assert status == 2
    for finding, advice in {
        "failure settings": "HUHANG_SECRET",
        "failure database": "python -m web migrate",
        "warning bus": "HUHANG_BUS_URL",
        "failure evidence": "HUHANG_EVIDENCE_URL cannot be written to: Not a directory",
        "warning proxy": "start the servers and the proxy",
    }.items():
        assert advice in lines[finding], lines


@pytest.mark.database_independent
async def test_a_database_that_is_not_there_is_not_made(databases: Databases, tmp_path: Path) -> None:
    file = tmp_path / "missing.db"
    _, lines = diagnosis(f"sqlite:///{file}", HUHANG_SECRET=SECRET)
    assert lines["failure database"] == "There is none yet: python -m web migrate"
    _, lines = diagnosis(f"postgresql://nobody@{NOBODY}/none", HUHANG_SECRET=SECRET)
    assert "It does not answer" in lines["failure database"]
    assert not file.exists()
    status, lines = diagnosis("mysql://x", HUHANG_SECRET=SECRET)
    assert status == 2


def test_a_server_is_asked_the_way_its_clients_ask(served: Process, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'none.db'}"
    _, lines = diagnosis(url, HUHANG_SECRET=SECRET, HUHANG_PUBLIC_URL=served.address)
    assert "/metrics is open to everybody" in lines["warning proxy"]


@pytest.mark.parametrize(
    ("status", "headers", "advice"),
    [
        (200, {"x-request-id": "1", "strict-transport-security": "max-age=1"}, None),
        (421, {"x-request-id": "1", "strict-transport-security": "max-age=1"}, "add it to HUHANG_HOSTS"),
        (503, {"x-request-id": "1", "strict-transport-security": "max-age=1"}, "has status 503"),
        (200, {"x-request-id": "1"}, "X-Forwarded-Proto"),
        (200, {}, "is not this server"),
    ],
)
def test_answers_through_the_proxy_are_judged(status: int, headers: dict[str, str], advice: str | None) -> None:
    ready, metrics = httpx.Response(status, headers=headers), httpx.Response(404)
    findings = wrong_answers(Settings(), "https://huhang.example", ready, metrics)
    assert [finding.text for finding in findings if advice and advice in finding.text] == [f.text for f in findings]
    assert bool(findings) is (advice is not None)


async def test_an_event_that_is_to_come_tells_of_a_wrong_clock(own_demo: Database) -> None:
    async def level() -> Level:
        findings: list[Finding] = [finding async for finding in check_clock(own_demo)]
        return max(finding.level for finding in findings)

    event = table_of(models.Event)
    for days, expected in ((-1, Level.OK), (1, Level.WARNING)):
        async with own_demo.write() as session:
            await session.execute(sa.update(event).values(at=dt.datetime.now(dt.UTC) + dt.timedelta(days=days)))
        assert await level() is expected
