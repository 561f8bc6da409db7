"""Evidence over plain HTTP: clients upload it by POST, and read it at signed URLs that they get from the graph."""

import asyncio
import contextlib
import datetime as dt
import tempfile
from collections.abc import Callable
from typing import IO

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from models.access import AccessKind
from models.db.database import Database
from models.reason import Reason
from models.visibility import Viewer
from resolvers.access_log import EVIDENCE_OPERATION, AccessLog
from resolvers.disclosures import is_kept
from resolvers.errors import AUTHORIZATION_NEEDED, ErrorCode, RequestError, ThrottledError
from resolvers.evidence import uploads
from resolvers.evidence.content_types import PDF, check_content
from resolvers.evidence.signed_urls import PATH, Signer
from resolvers.evidence.store import NAME, Store
from schema.execution.errors import request_errors
from schema.types import node_id
from web.admission import Admission, host_of
from web.auth.credentials import credentials
from web.graphql.negotiation import JSON
from web.graphql.response import error_response, failure
from web.headers import read_headers

STATUS = {
    ErrorCode.BAD_REQUEST: 400,
    ErrorCode.BAD_INPUT: 400,
    ErrorCode.UNAUTHENTICATED: 401,
    ErrorCode.FORBIDDEN: 403,
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.TOO_LARGE: 413,
    ErrorCode.UNSUPPORTED_TYPE: 415,
    ErrorCode.TOO_MANY: 429,
    ErrorCode.BUSY: 503,
    ErrorCode.UNAVAILABLE: 503,
}
IN_MEMORY = 262_144  # bytes of an upload; a longer one goes into an unnamed file that ends with the request
OPTIONS = {"takenAt", "positions"}
EARLIEST = dt.datetime(1900, 1, 1, tzinfo=dt.UTC)
AHEAD = dt.timedelta(days=1)  # the clocks of cameras are wrong


class EvidenceEndpoint:
    """Accepts uploads and serves them."""

    def __init__(
        self,
        admission: Admission,
        database: Database,
        store: Store,
        signer: Signer,
        clock: Callable[[], dt.datetime],
        access_log: AccessLog,
        *,
        limit: int,
    ) -> None:
        self._admission, self._database, self._store = admission, database, store
        self._signer, self._clock, self._access_log, self._limit = signer, clock, access_log, limit
        # One picture is decoded at a time, to bound the memory that many uploads take at once.
        self._turn = asyncio.Semaphore(1)

    @property
    def routes(self) -> list[Route]:
        return [
            Route(PATH, self.upload, methods=["POST"]),
            Route(PATH + "/{name}", self.read, methods=["GET"]),
        ]

    # -- uploading --

    async def upload(self, request: Request) -> ASGIApp:
        """201 with {id, mediaType, bytes, sha256, url}, or an error with its code."""
        try:
            viewer, _ = await self._admission.admit(read_headers(request.scope), host_of(request.scope))
            evidence = await self._store_upload(request, require_uploader(viewer))
            return JSONResponse(evidence, 201, {"cache-control": "no-store"})
        except RequestError as error:
            return refusal(error)
        except Exception as error:  # the client gets a masked error, and the log the details
            return failure(error, JSON)

    async def _store_upload(self, request: Request, viewer: Viewer) -> dict[str, object]:
        now = self._clock()
        taken_at, keep_positions = options(request, now)
        declared = request.headers.get("content-type", "").split(";")[0].strip().lower()
        if request.headers.get("content-encoding", "identity").lower() != "identity":
            raise RequestError(
                ErrorCode.UNSUPPORTED_TYPE, Reason("UPLOAD_COMPRESSED", "Send the bytes without compression.")
            )
        if not declared:
            raise RequestError(ErrorCode.UNSUPPORTED_TYPE, Reason("CONTENT_TYPE_NEEDED", "Send a Content-Type header."))
        with tempfile.SpooledTemporaryFile(IN_MEMORY) as file:
            await self._receive(request, file)
            async with self._turn:
                content = await asyncio.to_thread(
                    lambda: check_content(content_of(file), declared, keep_positions=keep_positions)
                )
        evidence = await uploads.store_upload(self._database, self._store, viewer, now, content, taken_at)
        return {
            "id": node_id.encode("Evidence", evidence.id),
            "mediaType": evidence.media_type,
            "bytes": evidence.bytes,
            "sha256": evidence.sha256,
            "url": self._signer.url(evidence.sha256, now),
        }

    async def _receive(self, request: Request, file: IO[bytes]) -> None:
        """Write the body to a file. Raises RequestError when it is longer than the limit, empty or cut off."""
        too_large = RequestError(
            ErrorCode.TOO_LARGE,
            Reason("UPLOAD_SIZE", "The upload is longer than {maximum:,} bytes.", maximum=self._limit),
        )
        length = request.headers.get("content-length", "")
        if length.isascii() and length.isdigit() and int(length[:20]) > self._limit:
            raise too_large
        size = 0
        try:
            async for chunk in request.stream():
                size += len(chunk)
                if size > self._limit:
                    raise too_large
                file.write(chunk)
        except ClientDisconnect:
            raise RequestError(ErrorCode.BAD_REQUEST, Reason("UPLOAD_CUT", "The upload ended early.")) from None
        if not size:
            raise RequestError(ErrorCode.BAD_REQUEST, Reason("UPLOAD_EMPTY", "The request has no body."))

    # -- reading --

    async def read(self, request: Request) -> ASGIApp:
        """The bytes of a piece of evidence, for a client with a valid signed URL."""
        try:
            return await self._serve(request)
        except RequestError as error:
            return refusal(error)
        except Exception as error:  # as in `upload`
            return failure(error, JSON)

    async def _serve(self, request: Request) -> Response:
        name = request.path_params["name"]
        parameters = request.query_params
        expires, signature = parameters.get("expires", ""), parameters.get("signature", "")
        seconds = self._signer.seconds_left(name, expires, signature, self._clock()) if NAME.fullmatch(name) else 0
        if not seconds:
            raise RequestError(
                ErrorCode.FORBIDDEN,
                Reason("EVIDENCE_URL_INVALID", "This URL has expired or is invalid: query the graph for a new one."),
            )
        evidence = await uploads.find_evidence(self._database, name)
        etag = f'"{name}"'
        headers = {
            "cache-control": f"private, max-age={seconds}, immutable",
            "etag": etag,
            # A browser runs nothing of what it may find in the bytes.
            "content-security-policy": "default-src 'none'; sandbox",
        }
        if evidence is not None and etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        chunks = await self._store.read(name) if evidence is not None else None
        if evidence is None or chunks is None:
            raise RequestError(ErrorCode.NOT_FOUND, Reason("EVIDENCE_GONE", "This evidence no longer exists."))
        await self._note(request, name)
        extension = evidence.media_type.rsplit("/", 1)[-1]
        disposition = "attachment" if evidence.media_type == PDF else "inline"
        headers["content-disposition"] = f'{disposition}; filename="evidence-{name[:12]}.{extension}"'
        headers["content-length"] = str(evidence.bytes)
        return StreamingResponse(chunks, media_type=evidence.media_type, headers=headers)

    async def _note(self, request: Request, name: str) -> None:
        """Note who reads the evidence. The address alone is enough, so it may be somebody without a token."""
        viewer = None
        with contextlib.suppress(RequestError):
            headers = read_headers(request.scope)
            if credentials(headers) is not None:
                viewer, _ = await self._admission.admit(headers, host_of(request.scope))
        if viewer is None or is_kept(viewer.visibility):
            self._access_log.note(viewer, [(AccessKind.EVIDENCE, name)], EVIDENCE_OPERATION)


def require_uploader(viewer: Viewer | None) -> Viewer:
    """The viewer, if they may upload. Raises RequestError."""
    if viewer is None:
        raise RequestError(ErrorCode.UNAUTHENTICATED, AUTHORIZATION_NEEDED)
    if viewer.role not in uploads.UPLOADERS:
        raise RequestError(
            ErrorCode.FORBIDDEN,
            Reason("UPLOADERS_ONLY", "Only commanders, inspectors and enterprises upload evidence."),
        )
    return viewer


def options(request: Request, now: dt.datetime) -> tuple[dt.datetime | None, bool]:
    """The time when it was taken, if given, and whether a picture keeps its metadata. Raises RequestError."""
    parameters = request.query_params
    if unknown := set(parameters) - OPTIONS:
        raise RequestError(
            ErrorCode.BAD_INPUT,
            Reason(
                "UPLOAD_PARAMETERS",
                "{count} of the parameters are unknown; known are {known}.",
                count=len(unknown),
                known=sorted(OPTIONS),
            ),
        )
    if parameters.get("positions", "strip") not in ("strip", "keep"):
        raise RequestError(ErrorCode.BAD_INPUT, Reason("UPLOAD_POSITIONS", "`positions` is `strip` or `keep`."))
    taken_at = None
    if "takenAt" in parameters:
        try:
            taken_at = dt.datetime.fromisoformat(parameters["takenAt"])
            plausible = EARLIEST <= taken_at <= now + AHEAD  # TypeError for a time without an offset
        except (ValueError, TypeError):
            raise RequestError(
                ErrorCode.BAD_INPUT,
                Reason("UPLOAD_TAKEN_AT", "`takenAt` is a time with an offset, such as 2026-06-15T12:00:00%2B08:00."),
            ) from None
        if not plausible:
            raise RequestError(
                ErrorCode.BAD_INPUT, Reason("UPLOAD_TAKEN_AT_RANGE", "`takenAt` must be a time between 1900 and now.")
            )
    return taken_at, parameters.get("positions") == "keep"


def content_of(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


def refusal(error: RequestError) -> ASGIApp:
    """An error in the form of the graph's errors."""
    headers = {"cache-control": "no-store"}
    if error.code is ErrorCode.UNAUTHENTICATED:
        headers["www-authenticate"] = "Bearer"
    if isinstance(error, ThrottledError):
        headers["retry-after"] = str(error.retry_after)
    return error_response(request_errors(error), JSON, STATUS[error.code], headers)
