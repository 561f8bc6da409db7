"""Uploads of evidence in pieces, by the protocol tus 1.0 (https://tus.io/protocols/resumable-upload).

Its core and the extensions creation, checksum, expiration and termination. A whole file is checked and stored as one
that came in a single request is.
"""

import base64
import binascii
import contextlib
import datetime as dt
import hashlib
import hmac
import re
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from email.utils import format_datetime
from typing import IO

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from models.reason import Reason
from resolvers.errors import ErrorCode, RequestError
from resolvers.evidence import open_uploads
from resolvers.evidence.content_types import UNKNOWN_TYPE
from resolvers.evidence.open_uploads import GONE, Upload
from resolvers.evidence.store import NAME
from resolvers.evidence.uploads import Sender
from schema.types import node_id
from web.admission import Admission, host_of
from web.graphql.negotiation import JSON
from web.graphql.response import failure
from web.headers import read_headers
from web.uploads import (
    IN_MEMORY,
    OPTIONS,
    Declared,
    Intake,
    UploadCut,
    content_of,
    options,
    receive,
    refusal,
    require_plain,
    sender_of,
    too_large,
)

PATH = "/uploads"
VERSION = {"tus-resumable": "1.0.0"}
EXTENSIONS = "creation,checksum,expiration,termination"
ALGORITHMS = {"sha256": hashlib.sha256, "sha1": hashlib.sha1}  # the protocol demands SHA-1
KEY = re.compile(r"[0-9a-f]{32}", re.ASCII)
NUMBER = re.compile(r"[0-9]{1,15}", re.ASCII)
METADATA_MAXIMUM = 4_000  # characters
PIECE_TYPE = "application/offset+octet-stream"
OVERRIDDEN = frozenset({"PATCH", "DELETE"})
EXPOSED = ("Location", "Upload-Offset", "Upload-Length", "Upload-Expires", "Tus-Resumable", "Huhang-Evidence")

Answer = Callable[[Request], Awaitable[Response]]


class TusError(RequestError):
    """A refusal for which the protocol has a status of its own."""

    def __init__(self, status: int, reason: Reason) -> None:
        super().__init__(ErrorCode.BAD_REQUEST, reason)
        self.status = status


CHECKSUM_DIFFERS = TusError(460, Reason("UPLOAD_CHECKSUM", "The bytes have another checksum: send them again."))
FILE_DIFFERS = TusError(460, Reason("UPLOAD_HASH", "The whole file has another SHA-256: begin a new upload."))
OFFSET_DIFFERS = TusError(409, Reason("UPLOAD_OFFSET", "The upload is not at this offset: ask for it by HEAD."))


class ResumableEndpoint:
    """Takes uploads in pieces. Only the viewer or the device that began one can go on with it."""

    def __init__(self, admission: Admission, intake: Intake) -> None:
        self._admission, self._intake = admission, intake
        self._database, self._store, self._clock = intake.database, intake.store, intake.clock

    @property
    def routes(self) -> list[Route]:
        return [
            Route(PATH, self.answer, methods=["POST", "OPTIONS"]),
            Route(PATH + "/{key}", self.answer, methods=["HEAD", "PATCH", "DELETE", "POST", "OPTIONS"]),
        ]

    async def answer(self, request: Request) -> ASGIApp:
        """The protocol's answer to a method, or an error with its code."""
        try:
            if request.method == "OPTIONS":
                return self._abilities()
            version = request.headers.get("tus-resumable", "")
            if version != VERSION["tus-resumable"]:
                raise TusError(412, Reason("TUS_VERSION", "Send `Tus-Resumable: 1.0.0`."))
            response = await self._act(request)
            response.headers.update({"cache-control": "no-store", **VERSION})
            return response
        except TusError as error:
            return refusal(error, error.status, VERSION | {"tus-version": "1.0.0"})
        except RequestError as error:
            return refusal(error, headers=VERSION)
        except Exception as error:  # the client gets a masked error, and the log the details
            return failure(error, JSON)

    def _abilities(self) -> Response:
        abilities = {"tus-version": "1.0.0", "tus-extension": EXTENSIONS, "tus-max-size": str(self._intake.limit)}
        abilities |= {"tus-checksum-algorithm": ",".join(ALGORITHMS), **VERSION}
        return Response(status_code=204, headers=abilities)

    async def _act(self, request: Request) -> Response:
        viewer, _ = await self._admission.admit(read_headers(request.scope), host_of(request.scope))
        sender, key, method = sender_of(request, viewer), request.path_params.get("key"), request.method
        if key is None:
            return await self._begin(request, sender)
        # For clients behind a proxy that lets no PATCH through. Only POST, whose origin is checked as theirs is.
        if method == "POST" and (method := request.headers.get("x-http-method-override", "").upper()) not in OVERRIDDEN:
            raise RequestError(
                ErrorCode.BAD_REQUEST, Reason("UPLOAD_METHOD", "X-HTTP-Method-Override is PATCH or DELETE here.")
            )
        if not KEY.fullmatch(key):
            raise RequestError(ErrorCode.NOT_FOUND, GONE)
        upload = await open_uploads.find(self._database, key, sender, self._clock())
        if method == "PATCH":
            return await self._patch(request, upload)
        if method == "DELETE":
            await open_uploads.end(self._database, self._store, upload)
            return Response(status_code=204)
        described = {"upload-metadata": upload.described} if upload.described else {}
        return Response(headers={**progress(upload), "upload-length": str(upload.length), **described})

    async def _begin(self, request: Request, sender: Sender) -> Response:
        """201 with the upload's address."""
        limit, described = self._intake.limit, request.headers.get("upload-metadata", "")
        length = number(request, "upload-length")
        if length > limit:
            raise too_large(limit)
        if not length:
            raise RequestError(ErrorCode.BAD_INPUT, Reason("UPLOAD_LENGTH", "An upload has at least one byte."))
        declared(metadata(described), self._clock())
        upload = await open_uploads.begin(self._database, sender, self._clock(), length, described)
        return Response(status_code=201, headers={"location": f"{PATH}/{upload.key}", **progress(upload)})

    async def _patch(self, request: Request, upload: Upload) -> Response:
        """204 with the new offset; with the last piece also the evidence."""
        if request.headers.get("content-type", "").strip().lower() != PIECE_TYPE:
            reason = Reason("UPLOAD_PIECE_TYPE", "Send a piece as {type}.", type=PIECE_TYPE)
            raise RequestError(ErrorCode.UNSUPPORTED_TYPE, reason)
        require_plain(request)
        checksum = checksum_of(request)
        if number(request, "upload-offset") != upload.received:
            raise OFFSET_DIFFERS
        if upload.evidence is not None:
            return Response(status_code=204, headers=progress(upload))
        await open_uploads.check_pieces(self._database, upload)
        with tempfile.SpooledTemporaryFile(IN_MEMORY) as file:
            await receive_piece(request, file, upload, checksum)
            piece = content_of(file)
        after: Upload | None
        if upload.received + len(piece) < upload.length:
            after = await open_uploads.add_piece(self._database, self._store, upload, piece, self._clock())
        else:
            after = await self._finish(upload, piece)
        if after is None:
            raise OFFSET_DIFFERS
        return Response(status_code=204, headers=progress(after))

    async def _finish(self, upload: Upload, last: bytes) -> Upload | None:
        """Store the whole as evidence of whoever began. Content that is refused ends it: no piece would help."""
        said = metadata(upload.described)
        try:
            with tempfile.SpooledTemporaryFile(IN_MEMORY) as file:
                await self._assemble(upload, last, file, said.get("sha256"))
                sender = Sender(upload.uploader, upload.device)
                evidence = await self._intake.take(file, declared(said, self._clock()), sender)
        except RequestError as error:
            if error.retry_after is None:
                await open_uploads.end(self._database, self._store, upload)
            raise
        return await open_uploads.finish(self._database, self._store, upload, evidence.id, self._clock())

    async def _assemble(self, upload: Upload, last: bytes, file: IO[bytes], expected: str | None) -> None:
        digest = hashlib.sha256()
        async for chunk in open_uploads.read_pieces(self._database, self._store, upload):
            digest.update(chunk)
            file.write(chunk)
        digest.update(last)
        file.write(last)
        if expected is not None and expected != digest.hexdigest():
            raise FILE_DIFFERS


def progress(upload: Upload) -> dict[str, str]:
    """The headers that say how far an upload is."""
    headers = {"upload-offset": str(upload.received), "upload-expires": format_datetime(upload.expires_at, usegmt=True)}
    if upload.evidence is not None:
        headers["huhang-evidence"] = node_id.encode("Evidence", upload.evidence)
    return headers


def number(request: Request, name: str) -> int:
    """The number in a header. Raises RequestError."""
    text = request.headers.get(name, "")
    if not NUMBER.fullmatch(text):
        raise RequestError(ErrorCode.BAD_REQUEST, Reason("UPLOAD_NUMBER", "`{header}` is a whole number.", header=name))
    return int(text)


def metadata(described: str) -> dict[str, str]:
    """The pairs of Upload-Metadata that count here. Raises RequestError."""
    pairs: dict[str, str] = {}
    malformed = Reason("UPLOAD_METADATA", "Upload-Metadata is keys, each with a value in Base64, and commas between.")
    try:
        if len(described) > METADATA_MAXIMUM or not described.isascii() or not described.isprintable():
            raise ValueError
        for pair in described.split(",") if described.strip() else ():
            key, _, value = pair.strip().partition(" ")
            if not key or key in pairs:
                raise ValueError
            pairs[key] = base64.b64decode(value, validate=True).decode()
    except (ValueError, binascii.Error):
        raise RequestError(ErrorCode.BAD_INPUT, malformed) from None
    return pairs


def declared(said: Mapping[str, str], now: dt.datetime) -> Declared:
    """The file as an upload's metadata declares it. Raises RequestError."""
    taken_at, keep_positions = options({name: value for name, value in said.items() if name in OPTIONS}, now)
    if not NAME.fullmatch(said.get("sha256", "0" * 64)):
        reason = Reason(
            "UPLOAD_HASH_FORM", "`sha256` is the file's SHA-256 in 64 digits in lower case: 0 to 9, a to f."
        )
        raise RequestError(ErrorCode.BAD_INPUT, reason)
    media_type = said.get("filetype") or said.get("type") or UNKNOWN_TYPE
    return Declared(media_type.split(";")[0].strip().lower(), taken_at, keep_positions)


def checksum_of(request: Request) -> tuple[str, bytes] | None:
    """The algorithm and digest of Upload-Checksum, if it is sent. Raises RequestError."""
    given = request.headers.get("upload-checksum")
    if given is None:
        return None
    algorithm, _, text = given.strip().partition(" ")
    with contextlib.suppress(binascii.Error, ValueError):
        digest = base64.b64decode(text, validate=True)
        if algorithm in ALGORITHMS and len(digest) == ALGORITHMS[algorithm]().digest_size:
            return algorithm, digest
    raise RequestError(
        ErrorCode.BAD_REQUEST,
        Reason(
            "UPLOAD_CHECKSUM_MALFORMED",
            "Upload-Checksum is one of {algorithms}, a space, and the digest in Base64.",
            algorithms=list(ALGORITHMS),
        ),
    )


async def receive_piece(request: Request, file: IO[bytes], upload: Upload, checksum: tuple[str, bytes] | None) -> None:
    """Write a piece to a file, or the beginning of one that was cut off. Raises RequestError, also by the checksum."""
    rest = upload.length - upload.received
    longer = RequestError(
        ErrorCode.TOO_LARGE, Reason("UPLOAD_REST", "Only {maximum:,} bytes of the upload are missing.", maximum=rest)
    )
    try:
        await receive(request, file, longer, rest)
    except UploadCut:
        if not file.tell():
            raise
    if checksum is not None:
        algorithm, expected = checksum
        if not hmac.compare_digest(ALGORITHMS[algorithm](content_of(file)).digest(), expected):
            raise CHECKSUM_DIFFERS
