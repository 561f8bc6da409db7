"""Reads requests that bring files: a line of JSON, and then the bytes of the files, one after the other."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AfterValidator, Field, StringConstraints, ValidationError
from starlette.requests import ClientDisconnect, Request

from models.reason import Reason
from resolvers.errors import ErrorCode, RequestError
from web.auth.json_api import Body

MEDIA_TYPE = "application/octet-stream"
HEAD_MAXIMUM = 262_144  # bytes; a mapping is in it
FILES_MAXIMUM = 20
CUT = Reason("UPLOAD_CUT", "The upload ended early.")


def _plain(name: str) -> str:
    """A name that is no path and stands for no other file of the folder."""
    if re.search(r"[/\\\x00-\x1f]", name) or name.startswith("."):
        raise ValueError("a path")
    return name


class SentFile(Body):
    name: Annotated[str, StringConstraints(min_length=1, max_length=120), AfterValidator(_plain)]
    bytes: Annotated[int, Field(ge=1)]


class Head(Body):
    """The first line of a request. The files follow in this order."""

    files: Annotated[list[SentFile], Field(min_length=1, max_length=FILES_MAXIMUM)]


HeadOf = TypeVar("HeadOf", bound=Head)


class FileRequest:
    """A request that brings files, of at most `limit` bytes together."""

    def __init__(self, request: Request, limit: int) -> None:
        # No form of another site can send this type without a preflight.
        if request.headers.get("content-type", "").split(";")[0].strip().lower() != MEDIA_TYPE:
            raise RequestError(
                ErrorCode.UNSUPPORTED_TYPE,
                Reason("CONTENT_TYPE_DEMANDED", "Send the content type {type}.", type=MEDIA_TYPE),
            )
        self._chunks, self._limit, self._rest = self._read(request), limit, b""

    @staticmethod
    async def _read(request: Request) -> AsyncIterator[bytes]:
        try:
            async for chunk in request.stream():
                yield chunk
        except ClientDisconnect:
            raise RequestError(ErrorCode.BAD_REQUEST, CUT) from None

    async def head(self, shape: type[HeadOf]) -> HeadOf:
        """The first line. Raises RequestError, which never repeats a value."""
        line = bytearray()
        async for chunk in self._chunks:
            line += chunk
            if b"\n" in chunk or len(line) > HEAD_MAXIMUM:
                break
        first, newline, rest = bytes(line).partition(b"\n")
        if not newline or len(first) > HEAD_MAXIMUM:
            raise RequestError(
                ErrorCode.BAD_REQUEST,
                Reason(
                    "HEAD_MISSING",
                    "The body begins with a line of JSON of at most {bytes:,} bytes.",
                    bytes=HEAD_MAXIMUM,
                ),
            )
        self._rest = rest
        try:
            head = shape.model_validate_json(first)
        except ValidationError as error:
            known = {field.alias or name for name, field in shape.model_fields.items()}
            wrong = sorted({f"`{e['loc'][0]}`" for e in error.errors() if e["loc"] and e["loc"][0] in known})
            raise RequestError(
                ErrorCode.BAD_INPUT,
                Reason("HEAD_WRONG", "The first line of the body is wrong: {fields}.", fields=wrong or ["JSON"]),
            ) from None
        names = [file.name for file in head.files]
        if len(set(names)) < len(names):
            raise RequestError(ErrorCode.BAD_INPUT, Reason("FILE_TWICE", "Two files have the same name."))
        if sum(file.bytes for file in head.files) > self._limit:
            raise RequestError(
                ErrorCode.TOO_LARGE,
                Reason("FILES_SIZE", "The files are longer than {maximum:,} bytes.", maximum=self._limit),
            )
        return head

    async def store(self, files: list[SentFile], folder: Path) -> None:
        """Write the files into a folder. Raises RequestError unless exactly their bytes come."""
        for file in files:
            left = file.bytes
            with (folder / file.name).open("xb") as target:
                while left:
                    part, self._rest = self._rest[:left], self._rest[left:]
                    target.write(part)
                    left -= len(part)
                    if left:
                        await self._more()
        if self._rest or await anext(self._chunks, b""):
            raise RequestError(
                ErrorCode.BAD_REQUEST, Reason("FILES_LONGER", "The body is longer than its files are said to be.")
            )

    async def _more(self) -> None:
        self._rest = await anext(self._chunks, b"")
        if not self._rest:
            raise RequestError(ErrorCode.BAD_REQUEST, CUT)
