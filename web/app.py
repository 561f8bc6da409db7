"""The application: what is served under which path."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from zoneinfo import ZoneInfo

import sqlalchemy as sa
import structlog
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from models.clock import now
from models.db.database import Database
from models.visibility import Role, Viewer, Visibility
from resolvers import geography
from resolvers.errors import ErrorCode
from resolvers.evidence import store as evidence_store
from resolvers.evidence.signed_urls import Signer
from schema.build import build
from schema.execution.errors import coded_error, error_response
from schema.execution.executor import Executor
from schema.live.streams import LiveStreams
from web.evidence import EvidenceEndpoint
from web.graphql import JSON, METHODS, GraphQLEndpoint, answered
from web.metrics import MEDIA, metrics
from web.reserved import ReservedEndpoint
from web.settings import ROOT, Settings, secret
from web.short import ShortWay
from web.sockets import SocketEndpoint
from web.tokens import Tokens
from web.viewers import Viewers, demo_viewers

log = structlog.get_logger(__name__)

PAGES = ROOT / "web" / "ui" / "dist"
SECURITY = {
    "content-security-policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self' data:;"
    " img-src 'self' data:; worker-src 'self'; connect-src 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


class Pages(StaticFiles):
    """The built pages, with their headers: hashed names are kept by browsers, the page itself is asked for anew."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]  # passed on as they came
        kept = "/assets/" in str(args[0])
        response.headers["cache-control"] = "public, max-age=31536000, immutable" if kept else "no-cache"
        for name, value in SECURITY.items():
            response.headers[name] = value
        return response


def pages(name: str) -> ASGIApp:
    """The built pages of one folder, or the reason why they are not there."""
    if not (PAGES / name).is_dir():
        return PlainTextResponse("Not built: that needs Node 20.19 or later, and then `make run` again.\n", 404)
    return Pages(directory=PAGES / name, html=True)


class Told:
    """The application. A request that is cut because the server ends is told so; uvicorn would say it had failed."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def noted(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except asyncio.CancelledError:
            if scope["type"] != "http" or begun:
                raise
            error = coded_error(ErrorCode.ENDING, "The server is ending, and has not finished this: ask again.")
            await answered(error_response([error]), JSON, 503, {"connection": "close"})(scope, receive, send)


class Served:
    """What the application holds while it runs."""

    def __init__(self, settings: Settings, clock: Callable[[], dt.datetime]) -> None:
        self.settings = settings
        signing = secret(settings)
        if signing is None:
            raise ValueError("HUHANG_SECRET is needed where Huhang does not run as a demo")
        self.tokens = Tokens(signing)
        signer = Signer(signing)
        self.database = Database(settings.database_url, pool_size=settings.pool_size)
        self.zone: ZoneInfo | None = None
        self.graph = build()
        self.execution = Executor(
            self.graph,
            self.database,
            self.time_zone,
            clock,
            rung=self.ring,
            introspection=settings.introspection,
            signer=signer,
            reuse=settings.reuse,
        )
        retention = None if settings.retention_days is None else dt.timedelta(days=settings.retention_days)
        # In demo mode whoever sends no token looks on as a screen does.
        anonymous = Viewer(Visibility(Role.WALL)) if settings.demo else None
        self.viewers = Viewers(self.tokens, self.database, clock, anonymous)
        self.live = LiveStreams(
            self.execution,
            self.database,
            self.time_zone,
            clock,
            bus_url=settings.bus_url,
            retention=retention,
            recheck=self.recheck,
        )
        store = evidence_store.opened(settings.evidence_url)
        self.evidence = EvidenceEndpoint(
            self.viewers, self.database, store, signer, clock, limit=settings.evidence_limit
        )

    def time_zone(self) -> ZoneInfo:
        return self.zone or geography.DEFAULT_ZONE

    async def ring(self) -> None:
        await self.live.ring()

    async def recheck(self) -> None:
        """Something has happened."""
        await self._learn_zone()
        await self.viewers.recheck()

    async def _learn_zone(self) -> None:
        """A database that was empty may have a district by now; its zone stays as it is."""
        if self.zone is None:
            found = await geography.time_zone(self.database)
            self.zone = self.zone or found

    async def open(self) -> None:
        await self.live.start()
        # Later than the head of the log was read: nobody would tell of what came between.
        await self._learn_zone()

    async def close(self) -> None:
        await self.live.stop()
        await self.database.close()


def create(settings: Settings | None = None, clock: Callable[[], dt.datetime] = now) -> Starlette:
    """The application, to be given to a server. `clock` gives the time in UTC."""
    served = Served(settings or Settings(), clock)
    endpoint = GraphQLEndpoint(served.execution, served.live, served.viewers, body_limit=served.settings.body_limit)
    reserved = ReservedEndpoint(endpoint, served.execution, served.live)
    sockets = SocketEndpoint(served.execution, served.live, served.viewers)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        await served.open()
        yield
        await served.close()

    async def schema(request: Request) -> Response:
        return PlainTextResponse(served.graph.as_str() + "\n", media_type="text/plain; charset=utf-8")

    async def alive(request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(request: Request) -> Response:
        try:
            async with served.database.read() as connection:
                await connection.execute(sa.text("SELECT 1 FROM district"))
        except Exception as error:  # whatever it is, the answer is no
            log.warning("not ready", error=type(error).__name__)
            return JSONResponse({"status": "the database does not answer, or is not migrated"}, 503)
        return JSONResponse({"status": "ok", "doorbell": served.live.state.value})

    async def counted(request: Request) -> Response:
        return Response(metrics(served.execution.plans), headers={"content-type": MEDIA})

    async def viewers(request: Request) -> Response:
        """In demo mode, a token for each role, for GraphiQL to offer."""
        offered = await demo_viewers(served.tokens, served.database, clock()) if served.settings.demo else []
        return JSONResponse({"viewers": offered}, headers={"cache-control": "no-store"})

    return Starlette(
        routes=[
            Route("/", lambda request: RedirectResponse("/graphiql/")),
            Route("/graphql", endpoint.respond, methods=METHODS),
            WebSocketRoute("/graphql", sockets),
            Route("/graphql/stream", reserved.respond, methods=["PUT", "GET", "POST", "DELETE"]),
            *served.evidence.routes,
            Route("/graphiql/viewers.json", viewers),
            Mount("/graphiql", pages("graphiql")),
            Route("/schema.graphql", schema),
            Route("/healthz", alive),
            Route("/readyz", ready),
            Route("/metrics", counted),
        ],
        middleware=[
            Middleware(Told),
            Middleware(
                ShortWay,
                execution=served.execution,
                viewers=served.viewers,
                body_limit=served.settings.body_limit,
            ),
        ],
        lifespan=lifespan,
    )
