"""The built pages of web/ui, and which path serves which."""

import asyncio
from functools import lru_cache
from pathlib import Path

from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Scope

from models.reason import Reason
from resolvers.errors import ErrorCode
from schema.execution.errors import coded_error
from web.compression import MINIMUM, accepted_encoding, accepts_gzip, gzipped, is_text, weak
from web.graphql.manifests import operation_names, read_manifest
from web.graphql.negotiation import JSON
from web.graphql.response import error_response
from web.settings import ROOT

PAGES = ROOT / "web" / "ui" / "dist"
# Path and folder. GraphiQL has a build of its own; the other pages share their scripts and styles in /assets.
FOLDERS = {
    "/assets": "pages/assets",
    "/signin": "pages/signin",
    "/wall": "pages/wall",
    "/desk": "pages/desk",
    "/field": "pages/field",
    "/docs": "pages/docs",
    "/graphiql": "graphiql",
}
START = "pages/start"
POLICY = "content-security-policy"


class Pages(StaticFiles):
    """The built pages. Browsers cache files with a hash in their names, and revalidate the page itself."""

    def __init__(self, directory: Path, policy: str) -> None:
        super().__init__(directory=directory, html=True)
        self._policy = policy

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        if not isinstance(response, FileResponse) or int(response.headers["content-length"]) < MINIMUM:
            return response
        if not is_text(response.headers.get("content-type", "")):
            return response
        response.headers.add_vary_header("Accept-Encoding")
        if not accepts_gzip(accepted_encoding(scope)):
            return response
        body = await asyncio.to_thread(compressed_file, str(response.path), response.headers["etag"])
        names = ("etag", "last-modified", "cache-control", "content-type", "vary", POLICY)
        headers = {name: response.headers[name] for name in names}
        headers |= {"content-encoding": "gzip", "etag": weak(headers["etag"])}
        return Response(body, headers=headers)

    def file_response(self, *args: object, **kwargs: object) -> Response:
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]  # passed on unchanged
        immutable = "/assets/" in str(args[0])
        response.headers["cache-control"] = "public, max-age=31536000, immutable" if immutable else "no-cache"
        response.headers[POLICY] = self._policy
        return response


def page_operations() -> set[str]:
    """The names of the operations that the built pages send."""
    manifest = PAGES / "pages" / "documents.json"
    return operation_names(read_manifest(manifest).values()) if manifest.is_file() else set()


@lru_cache(maxsize=256)
def compressed_file(path: str, etag: str) -> bytes:
    """The file compressed; `etag` tells its versions apart."""
    return gzipped(Path(path).read_bytes())


def page_routes(policy: str) -> list[BaseRoute]:
    """Routes to all pages, with their Content-Security-Policy. They go last: a mount takes every path below its own."""
    folders = [Mount(path, _folder(name, policy)) for path, name in FOLDERS.items()]
    return [Route("/", _folder(START, policy)), *folders]


def _folder(name: str, policy: str) -> ASGIApp:
    """The built pages of one folder, or a response that says why they are missing."""
    if not (PAGES / name).is_dir():
        reason = Reason("PAGES_NOT_BUILT", "Not built: that needs Node 20.19 or later, and then `make run` again.")
        return error_response([coded_error(ErrorCode.NOT_FOUND, reason)], JSON, 404)
    return Pages(PAGES / name, policy)
