"""A server for tests that implements the part of S3 that Huhang uses, with path-style addresses and any bucket."""

import datetime as dt
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.support.evidence_clients import listening

XML = "application/xml"


class ObjectServer:
    """The stored objects, with the time at which each was put, by path."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, dt.datetime]] = {}

    async def respond(self, request: Request) -> Response:
        """Respond to PUT, GET and HEAD of an object, to ListObjectsV2 and to DeleteObjects."""
        if not request.headers.get("authorization", "").startswith("AWS4-HMAC-SHA256 "):
            return Response("<Error><Code>AccessDenied</Code></Error>", 403, media_type=XML)
        path = request.path_params["path"]
        if "list-type" in request.query_params:
            return self.list(path, request.query_params.get("prefix", ""))
        if request.method == "PUT":
            data = await request.body()
            self.objects[path] = (data, dt.datetime.now(dt.UTC))
            return Response(headers={"etag": etag(data)})
        if "delete" in request.query_params:
            return self.delete(path, await request.body())
        if path not in self.objects:
            return Response("<Error><Code>NoSuchKey</Code></Error>", 404, media_type=XML)
        data, at = self.objects[path]
        modified = at.strftime("%a, %d %b %Y %H:%M:%S GMT")
        return Response(data, headers={"etag": etag(data), "last-modified": modified})

    def delete(self, bucket: str, body: bytes) -> Response:
        """DeleteObjects. As in S3, an object that does not exist counts as deleted."""
        keys = [key.text or "" for key in ElementTree.fromstring(body).iter() if key.tag.endswith("Key")]
        for key in keys:
            self.objects.pop(f"{bucket.strip('/')}/{key}", None)
        deleted = "".join(f"<Deleted><Key>{escape(key)}</Key></Deleted>" for key in keys)
        return Response(f"<DeleteResult>{deleted}</DeleteResult>", media_type=XML)

    def list(self, bucket: str, prefix: str) -> Response:
        """ListObjectsV2, with all objects on one page."""
        start = f"{bucket.strip('/')}/"
        contents = []
        for path, (data, at) in self.objects.items():
            if path.startswith(start + prefix):
                parts = {"Key": path.removeprefix(start), "LastModified": at.strftime("%Y-%m-%dT%H:%M:%S.000Z")}
                parts |= {"ETag": etag(data), "Size": str(len(data))}
                inside = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in parts.items())
                contents.append(f"<Contents>{inside}</Contents>")
        text = f"<ListBucketResult><IsTruncated>false</IsTruncated>{''.join(contents)}</ListBucketResult>"
        return Response(text, media_type=XML)


def etag(data: bytes) -> str:
    return f'"{hashlib.sha256(data).hexdigest()[:32]}"'


@asynccontextmanager
async def s3_bucket() -> AsyncIterator[str]:
    """Serve. Yields the address."""
    route = Route("/{path:path}", ObjectServer().respond, methods=["GET", "PUT", "POST"])
    async with listening(Starlette(routes=[route])) as (host, port):
        yield f"http://{host}:{port}"
