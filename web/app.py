"""The application: which path serves what."""

import datetime as dt
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import sqlalchemy as sa
import structlog
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from models.clock import now
from resolvers.errors import ErrorCode
from schema.execution.errors import coded_error
from web import demo
from web.application import Application, ShutdownMiddleware
from web.auth.sessions import demo_viewers
from web.graphql.endpoint import GraphQLEndpoint
from web.graphql.sse_single import ReservedEndpoint
from web.graphql.websocket import SocketEndpoint
from web.metrics import MEDIA, metrics
from web.origins import OriginPolicy, host_names, origins
from web.settings import ROOT, Settings
from web.state import AppState

log = structlog.get_logger(__name__)

PAGES = ROOT / "web" / "ui" / "dist"
SECURITY = {
    "content-security-policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self' data:;"
    " img-src 'self' data:; worker-src 'self'; connect-src 'self'; object-src 'none'; base-uri 'none';"
    " form-action 'self'; frame-ancestors 'none'"
}


class Pages(StaticFiles):
    """The built pages. Browsers cache files with a hash in their names, and revalidate the page itself."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]  # passed on unchanged
        immutable = "/assets/" in str(args[0])
        response.headers["cache-control"] = "public, max-age=31536000, immutable" if immutable else "no-cache"
        for name, value in SECURITY.items():
            response.headers[name] = value
        return response


def pages(name: str) -> ASGIApp:
    """The built pages of one folder, or a response that says why they are missing."""
    if not (PAGES / name).is_dir():
        reason = "Not built: that needs Node 20.19 or later, and then `make run` again."
        return JSONResponse({"errors": [coded_error(ErrorCode.NOT_FOUND, reason)]}, 404)
    return Pages(directory=PAGES / name, html=True)


class ServiceEndpoints:
    """What operators and tools ask of the server, besides the graph."""

    def __init__(self, state: AppState, clock: Callable[[], dt.datetime]) -> None:
        self._state, self._clock = state, clock

    @property
    def routes(self) -> list[Route]:
        return [
            Route("/schema.graphql", self.schema),
            Route("/healthz", self.healthz),
            Route("/readyz", self.readyz),
            Route("/metrics", self.metrics),
            Route("/graphiql/viewers.json", self.viewers),
        ]

    async def schema(self, request: Request) -> Response:
        return PlainTextResponse(self._state.graph.as_str() + "\n", media_type="text/plain; charset=utf-8")

    async def healthz(self, request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(self, request: Request) -> Response:
        """200 where the database answers and is migrated, otherwise 503."""
        try:
            async with self._state.database.read() as connection:
                await connection.execute(sa.text("SELECT 1 FROM district"))
        except Exception as error:  # whatever it is, the server is not ready
            log.warning("not ready", error=type(error).__name__)
            return JSONResponse({"status": "the database does not answer, or is not migrated"}, 503)
        state = self._state.notifier.state.value
        # `doorbell` is the key's former name; clients may still read it.
        return JSONResponse({"status": "ok", "notifier": state, "doorbell": state})

    async def metrics(self, request: Request) -> Response:
        return Response(metrics(self._state.execution.plans), headers={"content-type": MEDIA})

    async def viewers(self, request: Request) -> Response:
        """In demo mode a token for each role, which GraphiQL offers, for the server's own pages on this machine.

        `notice` is a text for people, in Chinese and English, where the demo is open to other machines; otherwise null.
        """
        state = self._state
        offered: list[dict[str, str]] = []
        if state.settings.demo and demo.asked_from_this_machine(request.scope):
            offered = await demo_viewers(state.tokens, state.database, self._clock())
        notice = demo.NOTICE if state.settings.demo and demo.is_exposed(request.scope) else None
        return JSONResponse({"viewers": offered, "notice": notice}, headers={"cache-control": "no-store"})


def create(settings: Settings | None = None, clock: Callable[[], dt.datetime] = now) -> Application:
    """The application, for a server to run. `clock` gives the time in UTC."""
    state = AppState(settings or Settings(), clock)
    limit = state.settings.body_limit
    reserved = ReservedEndpoint(state.execution, state.live, state.admission, body_limit=limit)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        await state.open()
        yield
        await state.close()

    return Application(
        GraphQLEndpoint(
            state.execution, state.live, state.admission, body_limit=limit, introspection=state.settings.introspection
        ),
        OriginPolicy(host_names(state.settings.hosts), origins(state.settings.origins)),
        routes=[
            Route("/", lambda request: RedirectResponse("/graphiql/")),
            WebSocketRoute("/graphql", SocketEndpoint(state.execution, state.live, state.admission)),
            Route("/graphql/stream", reserved.respond, methods=["PUT", "GET", "POST", "DELETE"]),
            *state.evidence.routes,
            *ServiceEndpoints(state, clock).routes,
            Mount("/graphiql", pages("graphiql")),
        ],
        middleware=[Middleware(ShutdownMiddleware)],
        lifespan=lifespan,
    )
