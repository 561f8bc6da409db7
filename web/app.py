"""The application: what is served under which path."""

import datetime as dt
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from zoneinfo import ZoneInfo

import sqlalchemy as sa
import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from models.database import Database
from models.types import now
from models.visibility import Role, Viewer, Visibility
from resolvers import districts
from schema.execution import Execution
from schema.root import build
from web.graphql import GraphQLEndpoint
from web.settings import ROOT, Settings

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


class Served:
    """What the application holds while it runs."""

    def __init__(self, settings: Settings, clock: Callable[[], dt.datetime]) -> None:
        self.settings = settings
        self.database = Database(settings.database_url, pool_size=settings.pool_size)
        self.zone = districts.DEFAULT_ZONE
        self.graph = build()
        self.execution = Execution(
            self.graph, self.database, self.time_zone, clock, introspection=settings.introspection
        )

    def time_zone(self) -> ZoneInfo:
        return self.zone

    async def open(self) -> None:
        self.zone = await districts.time_zone(self.database) or districts.DEFAULT_ZONE


def create(settings: Settings | None = None, clock: Callable[[], dt.datetime] = now) -> Starlette:
    """The application, to be given to a server. `clock` gives the time in UTC."""
    served = Served(settings or Settings(), clock)
    # Until rights exist there is one viewer, who sees everything, and demo mode only.
    viewer = Viewer(Visibility(Role.COMMANDER))
    endpoint = GraphQLEndpoint(served.execution, viewer, body_limit=served.settings.body_limit)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        await served.open()
        yield
        await served.database.close()

    async def schema(request: Request) -> Response:
        return PlainTextResponse(served.graph.as_str() + "\n", media_type="text/plain; charset=utf-8")

    async def alive(request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(request: Request) -> Response:
        try:
            async with served.database.read() as connection:
                await connection.execute(sa.text("SELECT 1 FROM district"))
        except (sa.exc.SQLAlchemyError, OSError) as error:
            log.warning("not ready", error=type(error).__name__)
            return JSONResponse({"status": "the database does not answer, or is not migrated"}, 503)
        return JSONResponse({"status": "ok"})

    async def viewers(request: Request) -> Response:
        return JSONResponse({"viewers": []})

    return Starlette(
        routes=[
            Route("/", lambda request: RedirectResponse("/graphiql/")),
            Route("/graphql", endpoint, methods=["GET", "POST"]),
            Route("/graphiql/viewers.json", viewers),
            Mount("/graphiql", Pages(directory=PAGES / "graphiql", html=True, check_dir=False)),
            Route("/schema.graphql", schema),
            Route("/healthz", alive),
            Route("/readyz", ready),
        ],
        lifespan=lifespan,
    )
