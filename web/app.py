"""The application: what is served under which path."""

import datetime as dt
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import sqlalchemy as sa
import structlog
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from models.clock import now
from web.auth.sessions import demo_viewers
from web.graphql.endpoint import GraphQLEndpoint
from web.graphql.sse_single import ReservedEndpoint
from web.graphql.websocket import SocketEndpoint
from web.metrics import MEDIA, metrics
from web.middleware import ShutdownMiddleware
from web.settings import ROOT, Settings
from web.state import AppState

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


class Application(Starlette):
    """Starlette's application, but for requests to /graphql, which pass neither its routing nor its middleware."""

    def __init__(self, graphql: GraphQLEndpoint, **options: Any) -> None:
        super().__init__(**options)
        self.graphql, self._direct = graphql, ShutdownMiddleware(graphql)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/graphql":
            await self._direct(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def create(settings: Settings | None = None, clock: Callable[[], dt.datetime] = now) -> Application:
    """The application, to be given to a server. `clock` gives the time in UTC."""
    served = AppState(settings or Settings(), clock)
    endpoint = GraphQLEndpoint(served.execution, served.live, served.viewers, body_limit=served.settings.body_limit)
    reserved = ReservedEndpoint(served.execution, served.live, served.viewers, body_limit=served.settings.body_limit)
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
        state = served.notifier.state.value
        # `doorbell` is the key's former name; clients may still read it.
        return JSONResponse({"status": "ok", "notifier": state, "doorbell": state})

    async def counted(request: Request) -> Response:
        return Response(metrics(served.execution.plans), headers={"content-type": MEDIA})

    async def viewers(request: Request) -> Response:
        """In demo mode, a token for each role, for GraphiQL to offer."""
        offered = await demo_viewers(served.tokens, served.database, clock()) if served.settings.demo else []
        return JSONResponse({"viewers": offered}, headers={"cache-control": "no-store"})

    return Application(
        endpoint,
        routes=[
            Route("/", lambda request: RedirectResponse("/graphiql/")),
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
        middleware=[Middleware(ShutdownMiddleware)],
        lifespan=lifespan,
    )
