"""Evidence over plain HTTP: bytes come in by POST, and are read under addresses that the graph gives."""

import asyncio
import datetime as dt
import tempfile
from collections.abc import Callable
from typing import IO

from graphql import GraphQLError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from models.db.database import Database
from models.visibility import Viewer
from resolvers.errors import ErrorCode, RequestError
from resolvers.evidence import uploads
from resolvers.evidence.content_types import PDF, check_content
from resolvers.evidence.signed_urls import PATH, Signer
from resolvers.evidence.store import NAME, Store
from schema.execution.errors import coded_error, format_error
from schema.types import node_id
from web.auth.sessions import Authenticator

STATUS = {
    ErrorCode.BAD_REQUEST: 400,
    ErrorCode.BAD_INPUT: 400,
    ErrorCode.UNAUTHENTICATED: 401,
    ErrorCode.FORBIDDEN: 403,
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.TOO_LARGE: 413,
    ErrorCode.UNSUPPORTED_TYPE: 415,
}
IN_MEMORY = 262_144  # of an upload; the rest waits in a file that has no name, and is gone with the request
OPTIONS = {"takenAt", "positions"}
EARLIEST = dt.datetime(1900, 1, 1, tzinfo=dt.UTC)
AHEAD = dt.timedelta(days=1)  # clocks of cameras are wrong


class EvidenceEndpoint:
    """Takes uploads and serves what was uploaded."""

    def __init__(
        self,
        viewers: Authenticator,
        database: Database,
        store: Store,
        signer: Signer,
        clock: Callable[[], dt.datetime],
        *,
        limit: int,
    ) -> None:
        self._viewers, self._database, self._store = viewers, database, store
        self._signer, self._clock, self._limit = signer, clock, limit
        # One picture is decoded at a time, so that many at once do not take the memory of many.
        self._turn = asyncio.Semaphore(1)

    @property
    def routes(self) -> list[Route]:
        return [
            Route(PATH, self.upload, methods=["POST"]),
            Route(PATH + "/{name}", self.read, methods=["GET"]),
        ]

    # -- in --

    async def upload(self, request: Request) -> Response:
        """201 with {id, mediaType, bytes, sha256, url}, or an error with its code."""
        try:
            viewer = await self._viewers.authenticate(request.headers.get("authorization"))
            return JSONResponse(await self._keep(request, permitted(viewer)), 201, {"cache-control": "no-store"})
        except RequestError as error:
            return refusal(error)
        except Exception as error:  # the last chance to answer in this form, and to keep what went wrong to the log
            return JSONResponse({"errors": [format_error(GraphQLError("", original_error=error))]}, 500)

    async def _keep(self, request: Request, viewer: Viewer) -> dict[str, object]:
        now = self._clock()
        taken_at, keep_positions = options(request, now)
        declared = request.headers.get("content-type", "").split(";")[0].strip().lower()
        if request.headers.get("content-encoding", "identity").lower() != "identity":
            raise RequestError(ErrorCode.UNSUPPORTED_TYPE, "Send the bytes without compression.")
        if not declared:
            raise RequestError(ErrorCode.UNSUPPORTED_TYPE, "Say by a content-type what it is.")
        with tempfile.SpooledTemporaryFile(IN_MEMORY) as file:
            await self._receive(request, file)
            async with self._turn:
                content = await asyncio.to_thread(
                    lambda: check_content(whole(file), declared, keep_positions=keep_positions)
                )
        kept = await uploads.store_upload(self._database, self._store, viewer, now, content, taken_at)
        return {
            "id": node_id.encode("Evidence", kept.id),
            "mediaType": kept.media_type,
            "bytes": kept.bytes,
            "sha256": kept.sha256,
            "url": self._signer.url(kept.sha256, now),
        }

    async def _receive(self, request: Request, file: IO[bytes]) -> None:
        """The body, up to the limit. Raises Refused for a longer one, and for one that is cut off."""
        too_large = RequestError(ErrorCode.TOO_LARGE, f"The upload is longer than {self._limit:,} bytes.")
        announced = request.headers.get("content-length", "")
        if announced.isascii() and announced.isdigit() and int(announced[:20]) > self._limit:
            raise too_large
        taken = 0
        try:
            async for chunk in request.stream():
                taken += len(chunk)
                if taken > self._limit:
                    raise too_large
                file.write(chunk)
        except ClientDisconnect:
            raise RequestError(ErrorCode.BAD_REQUEST, "The upload ended early.") from None
        if not taken:
            raise RequestError(ErrorCode.BAD_REQUEST, "There are no bytes in the request.")

    # -- out --

    async def read(self, request: Request) -> Response:
        """The bytes, for whoever has an address that is good."""
        try:
            return await self._serve(request)
        except RequestError as error:
            return refusal(error)
        except Exception as error:  # as above
            return JSONResponse({"errors": [format_error(GraphQLError("", original_error=error))]}, 500)

    async def _serve(self, request: Request) -> Response:
        name = request.path_params["name"]
        given = request.query_params
        expires, signature = given.get("expires", ""), given.get("signature", "")
        lasting = self._signer.seconds_left(name, expires, signature, self._clock()) if NAME.fullmatch(name) else 0
        if not lasting:
            raise RequestError(
                ErrorCode.FORBIDDEN, "This address is over, or was never given: ask the graph for a new one."
            )
        found = await uploads.find_evidence(self._database, name)
        etag = f'"{name}"'
        headers = {
            "cache-control": f"private, max-age={lasting}, immutable",
            "etag": etag,
            "x-content-type-options": "nosniff",
            # Whatever a browser may find in the bytes, it runs none of it.
            "content-security-policy": "default-src 'none'; sandbox",
            "referrer-policy": "no-referrer",
        }
        if found is not None and etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        chunks = await self._store.read(name) if found is not None else None
        if found is None or chunks is None:
            raise RequestError(ErrorCode.NOT_FOUND, "This evidence is not there any more.")
        ending = found.media_type.rsplit("/", 1)[-1]
        how = "attachment" if found.media_type == PDF else "inline"
        headers["content-disposition"] = f'{how}; filename="evidence-{name[:12]}.{ending}"'
        headers["content-length"] = str(found.bytes)
        return StreamingResponse(chunks, media_type=found.media_type, headers=headers)


def permitted(viewer: Viewer | None) -> Viewer:
    """The viewer, if they may upload. Raises Refused."""
    if viewer is None:
        raise RequestError(ErrorCode.UNAUTHENTICATED, "Send `Authorization: Bearer <token>`.")
    if viewer.role not in uploads.UPLOADERS:
        raise RequestError(ErrorCode.FORBIDDEN, "Evidence is uploaded by commanders, inspectors and enterprises.")
    return viewer


def options(request: Request, now: dt.datetime) -> tuple[dt.datetime | None, bool]:
    """When it was taken, if that is said, and whether a picture keeps its metadata. Raises Refused."""
    given = request.query_params
    if unknown := set(given) - OPTIONS:
        raise RequestError(
            ErrorCode.BAD_INPUT, f"Unknown: {len(unknown)} of the parameters; known are {sorted(OPTIONS)}."
        )
    if given.get("positions", "strip") not in ("strip", "keep"):
        raise RequestError(ErrorCode.BAD_INPUT, "`positions` is `strip` or `keep`.")
    taken_at = None
    if "takenAt" in given:
        try:
            taken_at = dt.datetime.fromisoformat(given["takenAt"])
            timely = EARLIEST <= taken_at <= now + AHEAD  # TypeError for a time without its offset
        except (ValueError, TypeError):
            raise RequestError(
                ErrorCode.BAD_INPUT, "`takenAt` is a time with its offset: 2026-06-15T12:00:00%2B08:00."
            ) from None
        if not timely:
            raise RequestError(ErrorCode.BAD_INPUT, "`takenAt` lies in the past, from 1900 on.")
    return taken_at, given.get("positions") == "keep"


def whole(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


def refusal(error: RequestError) -> Response:
    """An error in the form that the graph has for them."""
    headers = {"cache-control": "no-store"}
    if error.code is ErrorCode.UNAUTHENTICATED:
        headers["www-authenticate"] = "Bearer"
    return JSONResponse({"errors": [coded_error(error.code, error.message)]}, STATUS[error.code], headers)
