"""Clients of evidence: an application with its own store, and requests to it by each role."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa
import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp

import models
from models.db.database import Database
from models.db.tables import table_of
from models.visibility import Role, Scope, Viewer
from resolvers.access_log import AccessLog
from resolvers.evidence.signed_urls import Signer
from resolvers.evidence.store import DirectoryStore, Store
from schema.build import Graph
from schema.execution.executor import Executor
from schema.execution.operation import Operation
from schema.types import node_id
from tests.conftest import NOW, SHANGHAI
from tests.support.admission import admission_of
from web.auth.credentials import bearer
from web.auth.sessions import Authenticator
from web.auth.tokens import Claims, Tokens
from web.resumable import ResumableEndpoint
from web.server import Server, bind
from web.uploads import EvidenceEndpoint, Intake

SECRET = "a secret of the tests, of no use elsewhere"
LIMIT = 10 * 2**20
UPLOADS = ("sent_file", "open_upload", "upload_piece")
TABLES = ("evidence", "evidence_upload", *UPLOADS, "hazard_evidence", "inspection_evidence")

STATUS = "query($hashes: [String!]!) { evidenceStatus(sha256: $hashes) { sha256 evidence keptUntil } }"
REPORT = """mutation($enterprise: ID!, $evidence: [ID!]!) {
  hazardReport(input: { enterprise: $enterprise, level: GENERAL, description: "x", evidence: $evidence }) {
    __typename
    ... on HazardReported { hazard { id evidence { id mediaType bytes sha256 url takenAt } } }
    ... on NotFound { message }
  }
}"""


class Desk:
    """The evidence endpoint with a clock that the test sets."""

    def __init__(self, graph: Graph, database: Database, store: Store, folder: Path, anonymous: Viewer | None = None):
        self.database, self.store, self.folder, self.now = database, store, folder, NOW
        self.tokens, self.signer = Tokens(SECRET), Signer(SECRET.encode())
        self.viewers = Authenticator(self.tokens, database, self.clock, anonymous, demo=True)
        self.execution = Executor(graph, database, SHANGHAI, self.clock, signer=self.signer)
        self.access_log = AccessLog(database, self.clock, days=183)
        admission = admission_of(self.viewers)
        intake = Intake(database, store, self.clock, LIMIT)
        endpoint = EvidenceEndpoint(admission, intake, self.signer, self.access_log)
        self.app = Starlette(routes=[*endpoint.routes, *ResumableEndpoint(admission, intake).routes])
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app, raise_app_exceptions=False), base_url="http://localhost"
        )

    def clock(self) -> dt.datetime:
        return self.now

    def bearer(self, role: Role, **more: Any) -> dict[str, str]:
        claims = Claims(role, NOW + dt.timedelta(days=30), subject=more.pop("subject", role.name), **more)
        return {"authorization": f"Bearer {self.tokens.make(claims)}"}

    async def enterprise(self, key: int) -> dict[str, str]:
        """The headers of an enterprise."""
        async with self.database.read() as connection:
            table = table_of(models.Enterprise)
            codes = sa.func.coalesce(table.c.credit_code, table.c.external_id)
            code = await connection.scalar(sa.select(codes).where(table.c.id == key))
        return self.bearer(Role.ENTERPRISE, enterprise=code)

    async def inspector(self, key: int) -> dict[str, str]:
        async with self.database.read() as connection:
            table = table_of(models.Inspector)
            badge = await connection.scalar(sa.select(table.c.badge).where(table.c.id == key))
        return self.bearer(Role.INSPECTOR, inspector=badge)

    @property
    def commander(self) -> dict[str, str]:
        return self.bearer(Role.COMMANDER)

    @property
    def integrator(self) -> dict[str, str]:
        return self.bearer(Role.INTEGRATOR, scopes=frozenset(Scope))

    async def post(
        self,
        data: bytes,
        media_type: str = "image/jpeg",
        *,
        by: dict[str, str] | None = None,
        options: dict[str, str] | None = None,
    ) -> httpx.Response:
        headers = {"content-type": media_type, **(self.commander if by is None else by)}
        return await self.client.post("/evidence", content=data, headers=headers, params=options)

    async def ask(self, query: str, by: dict[str, str], **variables: Any) -> dict[str, Any]:
        """The data of a query by the viewer and the device of these headers, without errors."""
        viewer = await self.viewers.authenticate(bearer(by["authorization"]))
        answer = await self.execution.run(Operation(query, variables, device=by.get("huhang-device")), viewer)
        assert answer.errors == []
        assert answer.data is not None
        return answer.data

    async def report(self, by: dict[str, str], enterprise: int, *evidence: str) -> dict[str, Any]:
        """The result of a report of a hazard with this evidence."""
        variables = {"enterprise": node_id.encode("Enterprise", enterprise), "evidence": list(evidence)}
        result: dict[str, Any] = (await self.ask(REPORT, by, **variables))["hazardReport"]
        return result

    async def rows(self) -> dict[str, int]:
        """The number of rows in each table that an upload writes."""
        async with self.database.read() as connection:
            counts = [await connection.scalar(sa.text(f"SELECT count(*) FROM {table}")) for table in TABLES]
        return dict(zip(TABLES, map(int, counts), strict=True))

    def files(self) -> set[str]:
        """Every file in the store's folder."""
        return {str(file.relative_to(self.folder)) for file in self.folder.rglob("*") if file.is_file()}

    async def left(self) -> tuple[dict[str, int], set[str]]:
        """Every row and file that an upload could leave."""
        return await self.rows(), self.files()


@asynccontextmanager
async def desk(graph: Graph, database: Database, folder: Path, **more: Any) -> AsyncIterator[Desk]:
    """A desk whose store is a directory."""
    desk = Desk(graph, database, DirectoryStore(folder), folder, **more)
    async with desk.client:
        yield desk


@asynccontextmanager
async def listening(app: ASGIApp) -> AsyncIterator[tuple[str, int]]:
    """Serve an application on a real socket. Yields host and port."""
    bound, started = bind("127.0.0.1", 0), asyncio.Event()
    server = Server(uvicorn.Config(app, log_config=None, lifespan="off"), started.set)
    running = asyncio.create_task(server.serve([bound]))
    await started.wait()
    try:
        yield bound.getsockname()
    finally:
        server.should_exit = True
        await running


def code_of(response: httpx.Response) -> str:
    [error] = response.json()["errors"]
    assert error["message"]
    return str(error["extensions"]["code"])
