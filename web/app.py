"""The application: which path serves what."""

import asyncio
import datetime as dt
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp

from models.clock import now
from models.metrics import exposition
from models.reason import Reason, chinese
from resolvers.errors import ErrorCode
from schema.execution.errors import coded_error
from web import base_map, demo
from web.application import Application
from web.auth.pairing import PairingEndpoints
from web.auth.sessions import demo_viewers
from web.auth.token_endpoints import TokenEndpoints
from web.compression import CompressionMiddleware
from web.graphql.endpoint import GraphQLEndpoint
from web.graphql.manifests import read_manifest
from web.graphql.negotiation import JSON
from web.graphql.response import error_response
from web.graphql.sse_single import ReservedEndpoint
from web.graphql.trusted_documents import TrustedDocuments
from web.graphql.websocket import SocketEndpoint
from web.metrics import MEDIA, Sampler
from web.operations import Operations
from web.origins import OriginPolicy, host_names, origins
from web.pages import page_operations, page_routes
from web.settings import Settings
from web.state import AppState


class ServiceEndpoints:
    """What operators and tools ask of the server, besides the graph."""

    def __init__(self, state: AppState, sampler: Sampler, clock: Callable[[], dt.datetime]) -> None:
        self._state, self._sampler, self._clock = state, sampler, clock
        self._schema: str | None = None

    @property
    def routes(self) -> list[Route]:
        return [
            Route("/schema.graphql", self.schema),
            Route("/possible-types.json", self.possible_types),
            Route("/healthz", self.healthz),
            Route("/readyz", self.readyz),
            Route("/metrics", self.metrics),
            Route("/graphiql/viewers.json", self.viewers),
        ]

    async def schema(self, request: Request) -> ASGIApp:
        """The schema in GraphQL's own language, for clients that may query it."""
        if not self._state.settings.introspection:
            return schema_hidden()
        if self._schema is None:  # printing it takes longer than many queries
            self._schema = await asyncio.to_thread(self._state.graph.as_str) + "\n"
        return PlainTextResponse(self._schema, media_type="text/plain; charset=utf-8")

    async def possible_types(self, request: Request) -> ASGIApp:
        """The types of each interface and union, in the form of Apollo's option `possibleTypes`."""
        return (
            JSONResponse(self._state.graph.possible_types()) if self._state.settings.introspection else schema_hidden()
        )

    async def healthz(self, request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(self, request: Request) -> Response:
        """200 where the database is migrated and takes changes, and the feed keeps up; otherwise 503."""
        state = await self._state.readiness.state()
        return JSONResponse(state.body(), 503 if state.failed else 200, {"cache-control": "no-store"})

    async def metrics(self, request: Request) -> Response:
        """The metrics of all processes of this server."""
        await self._sampler.sample(await self._state.readiness.state())
        return Response(await asyncio.to_thread(exposition), headers={"content-type": MEDIA})

    async def viewers(self, request: Request) -> Response:
        """In demo mode a token for each role, which GraphiQL offers, for the server's own pages on this machine.

        `notice` tells people in Chinese and English that this is a demo; outside demo mode it is null.
        """
        state = self._state
        offered: list[dict[str, str]] = []
        if state.settings.demo and demo.asked_from_this_machine(request.scope):
            offered = await demo_viewers(state.tokens, state.database, self._clock())
        notice = demo.notice(request.scope) if state.settings.demo else None
        return JSONResponse({"viewers": offered, "notice": notice}, headers={"cache-control": "no-store"})


def schema_hidden() -> ASGIApp:
    reason = Reason("SCHEMA_HIDDEN", "This server does not show its schema.")
    return error_response([coded_error(ErrorCode.NOT_FOUND, reason)], JSON, 404)


def operations_of(state: AppState, known: set[str]) -> Operations:
    """The runner of all transports' operations."""
    slow = state.settings.slow_seconds or math.inf
    return Operations(state.execution, state.live, state.shares, known, slow=slow, logged=state.settings.request_log)


def create(settings: Settings | None = None, clock: Callable[[], dt.datetime] = now) -> Application:
    """The application, for a server to run. `clock` gives the time in UTC."""
    state = AppState(settings or Settings(), clock)
    limit, trusted = state.settings.body_limit, trusted_documents(state.settings)
    operations = operations_of(state, trusted.names | page_operations())
    sockets = SocketEndpoint(operations, state.live, state.admission, trusted)
    reserved = ReservedEndpoint(operations, state.live, state.admission, trusted, body_limit=limit)
    sampler = Sampler(state, operations, lambda: sockets.open)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        await state.open()
        await sampler.start()
        await asyncio.to_thread(chinese)  # so that the first request for it need not wait
        yield
        await sampler.stop()
        await state.close()

    endpoint = GraphQLEndpoint(
        operations, state.live, state.admission, trusted, body_limit=limit, introspection=state.settings.introspection
    )
    return Application(
        endpoint,
        OriginPolicy(host_names(state.settings.hosts), origins(state.settings.origins)),
        logged=state.settings.request_log,
        routes=[
            WebSocketRoute("/graphql", sockets),
            Route("/graphql/stream", reserved.respond, methods=["PUT", "GET", "POST", "DELETE"]),
            *state.routes,
            *ServiceEndpoints(state, sampler, clock).routes,
            *TokenEndpoints(state.database, state.tokens, state.admission, clock).routes,
            *PairingEndpoints(state.database, state.tokens, state.admission, clock).routes,
            *base_map.routes(state.settings.base_map, state.settings.base_map_projection),
            *page_routes(base_map.content_policy(state.settings.base_map, state.settings.camera_origins)),
        ],
        middleware=[Middleware(CompressionMiddleware)],
        lifespan=lifespan,
    )


def trusted_documents(settings: Settings) -> TrustedDocuments:
    """The documents of the manifest, if there is one."""
    documents = {} if settings.documents is None else read_manifest(Path(settings.documents))
    return TrustedDocuments(documents, only=settings.documents_only)
