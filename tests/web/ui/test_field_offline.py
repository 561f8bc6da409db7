"""Two officers work a day without a network: every act arrives once and in order, with all of its photographs."""

import asyncio
import datetime as dt
import io
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import httpx
import sqlalchemy as sa
from PIL import Image
from playwright.async_api import async_playwright, expect

import models
from models.db.database import Database
from models.db.tables import table_of
from models.event import EventKind
from schema.types import node_id
from tests.conftest import Databases
from tests.support.patience import PATIENCE
from tests.support.phone import Phone
from tests.support.proof_mode import PROVING
from tests.support.proofs import RecordProof
from tests.support.server_process import Process, environment, serving, web

SETTINGS = {"HUHANG_SECRET": "a secret of the tests, of no use elsewhere"}
PASSWORD = "correct horse battery"
VISITS = 6 if PROVING else 1  # of each officer, besides one that the command centre cancels meanwhile
PHOTOGRAPHS = 3 if PROVING else 1  # of each visit
DEATHS = 4 if PROVING else 1  # of each phone while it has no network
LOSS = 0.05 if PROVING else 0.15
TAP_MILLISECONDS = 1_100
ENOUGH = PATIENCE * (10 if PROVING else 1)  # seconds for all to arrive; it only ends a hang
TASKS = """{ enterprises(first: 50) { nodes { id } }
  inspectors(first: 100, filter: { available: true }) { nodes { id badge
    inspections(first: 0, filter: { statuses: [DISPATCHED, ACKNOWLEDGED, EN_ROUTE, ON_SITE] }) { totalCount } } } }"""
ACT = "mutation($input: {0}Input!) {{ result: {1}(input: $input) {{ __typename {2} ... on Problem {{ message }} }} }}"
PLANNED = "... on InspectionPlanned { inspection { id } }"
STEPS = {
    "acknowledge": EventKind.INSPECTION_ACKNOWLEDGED,
    "depart": EventKind.INSPECTION_DEPARTED,
    "arrive": EventKind.INSPECTION_ARRIVED,
    "submit": EventKind.INSPECTION_SUBMITTED,
}
EVENT, SENT, EVIDENCE = (table_of(model) for model in (models.Event, models.SentFile, models.Evidence))
FOUND = table_of(models.HazardEvidence)


@dataclass
class Officer:
    """An officer, the visits of the day, and the one that is cancelled; `hashes` of the photographs by their ids."""

    phone: Phone
    visits: list[str]
    cancelled: str
    hashes: dict[str, str] = field(default_factory=dict)


class Bureau:
    """A server that can be killed and comes back at the same address."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self._folder, self._starts = url, folder, 0
        self._stack = ExitStack()
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = str(free.getsockname()[1])
        self.process: Process

    def start(self) -> None:
        self._starts += 1
        settings = {**SETTINGS, "HUHANG_EVIDENCE_URL": str(self._folder / "evidence")}
        log = self._folder / f"server{self._starts}.log"
        self.process = self._stack.enter_context(serving(log, self.url, "--port", self._port, **settings))
        self.token = web("token", "--demo", "--role", "commander", url=self.url, **SETTINGS).stdout.strip()

    def close(self) -> None:
        self._stack.close()

    def graph(self, query: str, **variables: Any) -> Any:
        body, bearer = {"query": query, "variables": variables}, {"authorization": f"Bearer {self.token}"}
        address = f"{self.process.address}/graphql"
        answer = httpx.post(address, json=body, headers=bearer, trust_env=False, timeout=PATIENCE).json()
        assert "errors" not in answer, answer
        return answer["data"]

    def act(self, mutation: str, fields: str = "", **given: Any) -> Any:
        document = ACT.format(mutation[0].upper() + mutation[1:], mutation, fields)
        result = self.graph(document, input=given)["result"]
        assert "message" not in result, result
        return result

    def add_account(self, name: str, badge: str) -> None:
        words = ["account", "add", "--name", name, "--role", "inspector", "--inspector", badge, "--password-stdin"]
        command = [sys.executable, "-m", "web", *words]
        subprocess.run(command, env=environment(self.url, **SETTINGS), input=PASSWORD, text=True, check=True)

    def plan(self, officer: str, enterprise: str) -> str:
        when = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
        given = {"enterprise": enterprise, "kind": "ROUTINE", "plannedFor": when.isoformat(), "inspectors": [officer]}
        inspection: str = self.act("inspectionPlan", PLANNED, **given)["inspection"]["id"]
        self.act("inspectionDispatch", inspection=inspection)
        return inspection


@asynccontextmanager
async def officers(bureau: Bureau, folder: Path) -> AsyncIterator[list[Officer]]:
    """Two officers whose phones have today's round. One's clock is two hours ahead, the other's two hours behind."""
    data = bureau.graph(TASKS)
    free = [each for each in data["inspectors"]["nodes"] if each["badge"] and not each["inspections"]["totalCount"]]
    places = iter(each["id"] for each in data["enterprises"]["nodes"])
    async with AsyncExitStack() as stack:
        playwright = await stack.enter_async_context(async_playwright())
        made = []
        for name, hours, each in zip(("zhou", "shen"), (2, -2), free, strict=False):
            bureau.add_account(name, each["badge"])
            visits = [bureau.plan(each["id"], next(places)) for _ in range(VISITS + 1)]
            more: Any = {"hours": hours, "loss": LOSS}
            phone = Phone(playwright, folder / name, bureau.process.address, name, PASSWORD, **more)
            await phone.open(online=True)
            stack.push_async_callback(lambda phone=phone: phone.context.close())  # type: ignore[misc]  # mypy cannot infer it
            made.append(Officer(phone, visits[1:], visits[0]))
            await expect(phone.page.locator("button.next")).to_be_visible()
            await phone.keep_page()
        assert len(made) == 2
        yield made


async def test_a_day_without_a_network_arrives_once_and_in_order(
    databases: Databases, demo_url: str, tmp_path: Path, record_proof: RecordProof
) -> None:
    bureau, began = Bureau(await databases.new(demo_url), tmp_path), time.monotonic()
    start = dt.datetime.now(dt.UTC)
    bureau.start()
    database = Database(bureau.url)
    try:
        async with officers(bureau, tmp_path) as staff:
            for officer in staff:
                await officer.phone.context.set_offline(True)
                bureau.act("inspectionCancel", inspection=officer.cancelled, reason="改期")
            await asyncio.gather(*(work(officer, Random(number)) for number, officer in enumerate(staff)))
            for officer in staff:
                await officer.phone.sign_in()
                await officer.phone.bad_network(slow=PROVING)
            await arrived(database, staff, 2)
            bureau.process.end(signal.SIGKILL)
            if PROVING:
                for officer in staff:
                    await officer.phone.die()
            bureau.start()
            if PROVING:
                for officer in staff:
                    await officer.phone.open(online=False)
                    await officer.phone.sign_in()
                    await officer.phone.bad_network(slow=True)
            for officer in staff:
                await check_phone(officer)
            await check_log(database, staff, start)
            await check_evidence(database, staff)
            record(record_proof, database, staff, time.monotonic() - began)
    finally:
        await database.close()
        bureau.close()


async def work(officer: Officer, random: Random) -> None:
    """All visits, as the phone offers them. The phone dies between some steps, and opens again without a network."""
    phone, steps = officer.phone, 4 * (VISITS + 1)
    deaths = set(random.sample(range(1, steps), DEATHS))
    for step in range(steps):
        if step in deaths:
            await phone.die()
            await phone.open(online=False)
        # Before its copy of the round is read, the page offers something else.
        await expect(phone.page.locator("section.current")).to_be_visible()
        button = phone.page.locator(".next")
        label = (await button.inner_text()).split("\n")[0]
        # The page takes a second tap within a second for the first.
        await phone.page.wait_for_timeout(TAP_MILLISECONDS)
        await button.click()
        if label == "填写检查":
            await fill(phone, random)
        else:
            await expect(button).not_to_contain_text(label)
    officer.hashes = {each["id"]: each["hash"] for each in await phone.rows("photos")}
    assert len(officer.hashes) == PHOTOGRAPHS * (VISITS + 1)


async def fill(phone: Phone, random: Random) -> None:
    """Fill in a visit with a finding and its photographs, and submit it."""
    page = phone.page
    await page.get_by_role("button", name="发现隐患").click()
    await page.get_by_role("button", name="再加一项隐患").click()
    await page.get_by_label("看到了什么").fill(f"消防通道堵塞 {random.random()}")
    taken = [{"name": "a.jpg", "mimeType": "image/jpeg", "buffer": picture()} for _ in range(PHOTOGRAPHS)]
    files: Any = taken
    await page.locator("input[type=file]").set_input_files(files)
    await expect(page.get_by_role("listitem").filter(has_text="照片")).to_have_count(PHOTOGRAPHS)
    for name in ("这一项填好了", "下一步：核对", "存入待发送"):
        await page.get_by_role("button", name=name).click()
    await expect(page.get_by_role("button", name="存入待发送")).to_be_hidden()


def picture() -> bytes:
    """A photograph of several pieces, unlike all others."""
    file = io.BytesIO()
    Image.effect_noise((800, 600), 60).save(file, "JPEG")
    return file.getvalue()


async def arrived(database: Database, staff: list[Officer], number: int) -> None:
    """Wait until so many acts are in the log."""
    end = time.monotonic() + ENOUGH
    while len(await log(database, staff)) < number:
        assert time.monotonic() < end


async def log(database: Database, staff: list[Officer]) -> list[Any]:
    """The steps of the day's visits, in the order of the log."""
    keys = [node_id.decode(each)[1] for officer in staff for each in (*officer.visits, officer.cancelled)]
    columns = (EVENT.c.kind, EVENT.c.subject_id, EVENT.c.occurred_at, EVENT.c.at)
    steps = sa.select(*columns).where(EVENT.c.kind.in_(STEPS.values()), EVENT.c.subject_id.in_(keys))
    async with database.read() as connection:
        return list((await connection.execute(steps.order_by(EVENT.c.id))).all())


async def check_phone(officer: Officer) -> None:
    """The phone has sent everything but the visit that was cancelled, of which it shows the refusal."""
    end = time.monotonic() + ENOUGH
    while any(each["status"] == "waiting" and not is_behind(each, officer) for each in await kept(officer)):
        assert time.monotonic() < end, await kept(officer)
        await officer.phone.page.wait_for_timeout(100)
    states = {each["kind"]: each["status"] for each in await kept(officer) if each["subject"] == officer.cancelled}
    assert states == {"acknowledge": "refused", "depart": "waiting", "arrive": "waiting", "submit": "waiting"}
    assert {each["status"] for each in await kept(officer) if each["subject"] in officer.visits} == {"sent"}


def is_behind(action: dict[str, Any], officer: Officer) -> bool:
    """True if it waits for somebody to handle the refusal before it."""
    return bool(action["subject"] == officer.cancelled and action["kind"] != "acknowledge")


async def kept(officer: Officer) -> list[dict[str, Any]]:
    return await officer.phone.rows("actions")


async def check_log(database: Database, staff: list[Officer], start: dt.datetime) -> None:
    """Every act is in the log once, in the order of its phone, and was done today by the server's clock."""
    rows = await log(database, staff)
    assert len(rows) == sum(4 * len(officer.visits) for officer in staff)
    for officer in staff:
        tapped = [(STEPS[each["kind"]], each["subject"]) for each in await kept(officer) if each["status"] == "sent"]
        own = [(row.kind, node_id.encode("Inspection", row.subject_id)) for row in rows]
        assert [each for each in own if each[1] in officer.visits] == tapped
    assert all(start - dt.timedelta(minutes=2) < row.occurred_at <= row.at for row in rows)


async def check_evidence(database: Database, staff: list[Officer]) -> None:
    """Every photograph of what was sent is evidence of one hazard."""
    attached = sa.select(SENT.c.sha256).join(FOUND, FOUND.c.evidence_id == SENT.c.evidence_id)
    async with database.read() as connection:
        hashes = list((await connection.execute(attached.where(SENT.c.device.is_not(None)))).scalars())
    sent = []
    for officer in staff:
        for action in await kept(officer):
            if action["status"] == "sent":
                sent += [officer.hashes[use["photo"]] for use in action["photos"]]
    assert len(sent) == PHOTOGRAPHS * VISITS * len(staff)
    assert sorted(set(hashes)) == sorted(sent)


def record(record_proof: RecordProof, database: Database, staff: list[Officer], seconds: float) -> None:
    phones = [officer.phone for officer in staff]
    record_proof(
        "offline",
        "Two phones without a network, then on a bad one: every act once, in order, with all photographs",
        {
            "database": "SQLite" if database.sqlite else "PostgreSQL",
            "acts": 4 * (VISITS + 1) * len(staff),
            "of these in the log, once and in order": 4 * VISITS * len(staff),
            "refused or behind a refusal": 4 * len(staff),
            "photographs complete": PHOTOGRAPHS * VISITS * len(staff),
            "phones killed": sum(phone.deaths for phone in phones),
            "servers killed": 1,
            "requests or answers lost": sum(phone.lost for phone in phones),
            "seconds": f"{seconds:.0f}",
        },
    )
