"""Endpoints for commanders who bring files of the register, or want a table as a workbook."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

import orjson
from graphql import GraphQLError
from pydantic import Field, StringConstraints
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from models.reason import Language
from schema.execution.errors import format_error, translated
from web.admission import Admission
from web.auth.commander import commander
from web.auth.json_api import NO_STORE, Body, Text, answer, endpoint
from web.graphql.request import language_of
from web.headers import read_headers
from web.register.files import FileRequest, Head
from web.register.process import JobFailed, Jobs, Line

LINES = b"application/x-ndjson"
WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
TABLE_MAXIMUM = 128 << 20  # bytes of the rows of a workbook
TARGET = ".workbook.xlsx"  # the name of no file that is sent: those begin with no dot

Job = dict[str, Any]
T = TypeVar("T")
HeadOf = TypeVar("HeadOf", bound=Head)


class ImportHead(Head):
    mapping: Annotated[str, StringConstraints(max_length=200_000)]
    write: bool = False


class Column(Body):
    name: Text
    times: bool = False


class TableHead(Head):
    title: Text
    columns: Annotated[list[Column], Field(min_length=1, max_length=100)]


class RegisterEndpoints:
    """`notify` is called whenever an import may have appended events; `limit` is the most bytes that it may bring."""

    def __init__(self, admission: Admission, database_url: str, notify: Callable[[], None], *, limit: int) -> None:
        self._admission, self._url, self._notify, self._limit = admission, database_url, notify, limit
        self._jobs = Jobs()

    @property
    def routes(self) -> list[Route]:
        return [
            Route("/register/suggestion", self.suggest, methods=["POST"]),
            Route("/register/import", self.import_, methods=["POST"]),
            Route("/register/workbook", self.workbook, methods=["POST"]),
        ]

    @endpoint
    async def suggest(self, request: Request) -> Response:
        """200 with {mapping}, a first one for the files."""
        await commander(self._admission, request)
        async with self._job(request, Head, self._limit) as (_, job):
            return result_answer(await self._result(job | {"kind": "suggest"}, request))

    @endpoint
    async def import_(self, request: Request) -> ASGIApp:
        """200 with lines of JSON: {progress} again and again, and at the end {outcome} or {errors}."""
        viewer, stack = await commander(self._admission, request), AsyncExitStack()
        try:
            head, job = await stack.enter_async_context(self._job(request, ImportHead, self._limit))
        except BaseException:
            await stack.aclose()
            raise
        job |= {"kind": "import", "mapping": head.mapping, "write": head.write}
        return LineResponse(self._import_lines(job | {"by": viewer.identity, "name": viewer.name}), stack)

    @endpoint
    async def workbook(self, request: Request) -> Response:
        """200 with a workbook of the rows, each of which is a line of JSON in the one file that is sent."""
        await commander(self._admission, request)
        async with self._job(request, TableHead, TABLE_MAXIMUM) as (head, job):
            columns = [column.model_dump() for column in head.columns]
            job |= {"kind": "workbook", "title": head.title, "columns": columns, "target": TARGET}
            result = await self._result(job, request)
            if "errors" in result:
                return result_answer(result)
            content = await asyncio.to_thread((Path(job["folder"]) / TARGET).read_bytes)
            return Response(content, headers=NO_STORE, media_type=WORKBOOK)

    @asynccontextmanager
    async def _job(self, request: Request, shape: type[HeadOf], limit: int) -> AsyncIterator[tuple[HeadOf, Job]]:
        """The head of a request, and a job with its files, which are in a folder as long as this lasts."""
        sent = FileRequest(request, limit)
        head = await sent.head(shape)
        with tempfile.TemporaryDirectory(prefix="huhang-", ignore_cleanup_errors=True) as folder, self._jobs.place():
            await sent.store(head.files, Path(folder))
            names = [file.name for file in head.files]
            language = language_of(read_headers(request.scope)).value
            yield head, {"folder": folder, "files": names, "database": self._url, "language": language}

    async def _result(self, job: Job, request: Request) -> Line:
        """The result of a job, which ends when its client goes away. Raises ClientDisconnect."""

        async def run() -> Line:
            async with aclosing(self._jobs.run(job)) as lines:
                return [line async for line in lines if line][-1]

        return await until_gone(run(), request.receive)

    async def _import_lines(self, job: Job) -> AsyncGenerator[Line]:
        try:
            async with aclosing(self._jobs.run(job)) as lines:
                async for line in lines:
                    if job["write"] and line:
                        self._notify()
                    yield line
        except JobFailed as error:
            errors = [format_error(GraphQLError("", original_error=error))]
            yield {"errors": translated(errors, Language(job["language"]))}


class LineResponse:
    """Sends lines as they come, as an ASGI application. They end when the client goes away; then `stack` is closed."""

    def __init__(self, lines: AsyncGenerator[Line], stack: AsyncExitStack) -> None:
        self._lines, self._stack = lines, stack

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._stack:
            with contextlib.suppress(ClientDisconnect):
                await until_gone(self._send(send), receive)

    async def _send(self, send: Send) -> None:
        # nginx would otherwise gather the lines.
        headers = [(b"content-type", LINES), (b"cache-control", b"no-store"), (b"x-accel-buffering", b"no")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        async with aclosing(self._lines) as lines:
            async for line in lines:
                await send({"type": "http.response.body", "body": orjson.dumps(line) + b"\n", "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def until_gone(work: Coroutine[Any, Any, T], receive: Receive) -> T:
    """The result of the work, which is cancelled when the client goes away. Raises ClientDisconnect then."""
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(disconnect(receive))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.wait({working, leaving})


async def disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def result_answer(result: Line) -> Response:
    return answer(result, 400 if "errors" in result else 200)
