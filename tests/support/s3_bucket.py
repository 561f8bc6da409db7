"""A store that speaks as much S3 as Huhang asks for, for the tests: path-style addresses, one bucket for all names."""

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
    """What was put, by its path."""

    def __init__(self) -> None:
        self.kept: dict[str, tuple[bytes, dt.datetime]] = {}

    async def respond(self, request: Request) -> Response:
        """Put, get and head of an object; of a bucket the list, and the removal of several."""
        if not request.headers.get("authorization", "").startswith("AWS4-HMAC-SHA256 "):
            return Response("<Error><Code>AccessDenied</Code></Error>", 403, media_type=XML)
        path = request.path_params["path"]
        if "list-type" in request.query_params:
            return self.listed(path, request.query_params.get("prefix", ""))
        if request.method == "PUT":
            data = await request.body()
            self.kept[path] = (data, dt.datetime.now(dt.UTC))
            return Response(headers={"etag": etag(data)})
        if "delete" in request.query_params:
            return self.removed(path, await request.body())
        if path not in self.kept:
            return Response("<Error><Code>NoSuchKey</Code></Error>", 404, media_type=XML)
        data, at = self.kept[path]
        modified = at.strftime("%a, %d %b %Y %H:%M:%S GMT")
        return Response(data, headers={"etag": etag(data), "last-modified": modified})

    def removed(self, bucket: str, wanted: bytes) -> Response:
        """The objects of a list, gone; one that was not there counts as gone, as it does for S3."""
        keys = [key.text or "" for key in ElementTree.fromstring(wanted).iter() if key.tag.endswith("Key")]
        for key in keys:
            self.kept.pop(f"{bucket.strip('/')}/{key}", None)
        told = "".join(f"<Deleted><Key>{escape(key)}</Key></Deleted>" for key in keys)
        return Response(f"<DeleteResult>{told}</DeleteResult>", media_type=XML)

    def listed(self, bucket: str, prefix: str) -> Response:
        """The list, of version 2, all on one page."""
        start = f"{bucket.strip('/')}/"
        found = []
        for path, (data, at) in self.kept.items():
            if path.startswith(start + prefix):
                parts = {"Key": path.removeprefix(start), "LastModified": at.strftime("%Y-%m-%dT%H:%M:%S.000Z")}
                parts |= {"ETag": etag(data), "Size": str(len(data))}
                inside = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in parts.items())
                found.append(f"<Contents>{inside}</Contents>")
        text = f"<ListBucketResult><IsTruncated>false</IsTruncated>{''.join(found)}</ListBucketResult>"
        return Response(text, media_type=XML)


def etag(data: bytes) -> str:
    return f'"{hashlib.sha256(data).hexdigest()[:32]}"'


@asynccontextmanager
async def s3_bucket() -> AsyncIterator[str]:
    """Its address, while it listens."""
    route = Route("/{path:path}", ObjectServer().respond, methods=["GET", "PUT", "POST"])
    async with listening(Starlette(routes=[route])) as (host, port):
        yield f"http://{host}:{port}"
