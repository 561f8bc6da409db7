"""Evidence over plain HTTP: clients upload it by POST, and read it at signed URLs that they get from the graph."""

import asyncio
import contextlib
import datetime as dt
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
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
from web.graphql.request import device_of
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
NO_HEADERS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Declared:
    """The facts a client declares of a file: its media type, when it was taken, and whether it keeps its metadata."""

    media_type: str
    taken_at: dt.datetime | None
    keep_positions: bool


class Intake:
    """Checks files of at most `limit` bytes and stores them as evidence."""

    def __init__(self, database: Database, store: Store, clock: Callable[[], dt.datetime], limit: int) -> None:
        self.database, self.store, self.clock, self.limit = database, store, clock, limit
        # One picture is decoded at a time, to bound the memory that many uploads take at once.
        self._turn = asyncio.Semaphore(1)

    async def take(self, file: IO[bytes], declared: Declared, sender: uploads.Sender) -> uploads.StoredEvidence:
        """Raises RequestError for a file that is refused."""
        async with self._turn:
            content = await asyncio.to_thread(
                lambda: check_content(content_of(file), declared.media_type, keep_positions=declared.keep_positions)
            )
        return await uploads.store_upload(self.database, self.store, sender, self.clock(), content, declared.taken_at)


class EvidenceEndpoint:
    """Accepts uploads and serves them."""

    def __init__(self, admission: Admission, intake: Intake, signer: Signer, access_log: AccessLog) -> None:
        self._admission, self._intake, self._signer, self._access_log = admission, intake, signer, access_log
        self._database, self._store, self._clock = intake.database, intake.store, intake.clock

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
            evidence = await self._store_upload(request, sender_of(request, viewer))
            return JSONResponse(evidence, 201, {"cache-control": "no-store"})
        except RequestError as error:
            return refusal(error)
        except Exception as error:  # the client gets a masked error, and the log the details
            return failure(error, JSON)

    async def _store_upload(self, request: Request, sender: uploads.Sender) -> dict[str, object]:
        now = self._clock()
        taken_at, keep_positions = options(request.query_params, now)
        declared = request.headers.get("content-type", "").split(";")[0].strip().lower()
        require_plain(request)
        if not declared:
            raise RequestError(ErrorCode.UNSUPPORTED_TYPE, Reason("CONTENT_TYPE_NEEDED", "Send a Content-Type header."))
        with tempfile.SpooledTemporaryFile(IN_MEMORY) as file:
            await receive(request, file, too_large(self._intake.limit), self._intake.limit)
            evidence = await self._intake.take(file, Declared(declared, taken_at, keep_positions), sender)
        return {
            "id": node_id.encode("Evidence", evidence.id),
            "mediaType": evidence.media_type,
            "bytes": evidence.bytes,
            "sha256": evidence.sha256,
            "url": self._signer.url(evidence.sha256, now),
        }

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


def sender_of(request: Request, viewer: Viewer | None) -> uploads.Sender:
    """The sender, if they may upload. Raises RequestError."""
    if viewer is None:
        raise RequestError(ErrorCode.UNAUTHENTICATED, AUTHORIZATION_NEEDED)
    if viewer.role not in uploads.UPLOADERS:
        raise RequestError(
            ErrorCode.FORBIDDEN,
            Reason("UPLOADERS_ONLY", "Only commanders, inspectors and enterprises upload evidence."),
        )
    return uploads.Sender(viewer.identity, device_of(read_headers(request.scope)))


def require_plain(request: Request) -> None:
    """Raises RequestError for a compressed body."""
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise RequestError(
            ErrorCode.UNSUPPORTED_TYPE, Reason("UPLOAD_COMPRESSED", "Send the bytes without compression.")
        )


def too_large(limit: int) -> RequestError:
    return RequestError(
        ErrorCode.TOO_LARGE, Reason("UPLOAD_SIZE", "The upload is longer than {maximum:,} bytes.", maximum=limit)
    )


class UploadCut(RequestError):
    """A body that ended early. What came of it is in the file."""

    def __init__(self) -> None:
        super().__init__(ErrorCode.BAD_REQUEST, Reason("UPLOAD_CUT", "The upload ended early."))


async def receive(request: Request, file: IO[bytes], longer: RequestError, limit: int) -> None:
    """Write the body to a file. Raises RequestError when it is longer than the limit, empty or cut off."""
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length[:20]) > limit:
        raise longer
    size = 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > limit:
                raise longer
            file.write(chunk)
    except ClientDisconnect:
        raise UploadCut from None
    if not size:
        raise RequestError(ErrorCode.BAD_REQUEST, Reason("UPLOAD_EMPTY", "The request has no body."))


def options(parameters: Mapping[str, str], now: dt.datetime) -> tuple[dt.datetime | None, bool]:
    """The time when it was taken, if given, and whether a picture keeps its metadata. Raises RequestError."""
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


def refusal(error: RequestError, status: int | None = None, headers: Mapping[str, str] = NO_HEADERS) -> ASGIApp:
    """An error in the form of the graph's errors, with the status of its code unless another is given."""
    answered = {"cache-control": "no-store", **headers}
    if error.code is ErrorCode.UNAUTHENTICATED:
        answered["www-authenticate"] = "Bearer"
    if isinstance(error, ThrottledError):
        answered["retry-after"] = str(error.retry_after)
    return error_response(request_errors(error), JSON, status or STATUS[error.code], answered)
