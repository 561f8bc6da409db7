"""A client of uploads in pieces, as the protocol tus 1.0 describes one."""

import base64
import hashlib
from typing import Any

import httpx

TUS = {"tus-resumable": "1.0.0"}
PIECE = {"content-type": "application/offset+octet-stream"}


def metadata(**pairs: str) -> str:
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in pairs.items())


def checksum(data: bytes, algorithm: str = "sha256") -> dict[str, str]:
    digest = hashlib.new(algorithm, data).digest()
    return {"upload-checksum": f"{algorithm} {base64.b64encode(digest).decode()}"}


class TusClient:
    """Uploads by one viewer, and perhaps one device."""

    def __init__(self, client: httpx.AsyncClient, by: dict[str, str]) -> None:
        self.client, self.by = client, by

    async def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {**self.by, **TUS, **options.pop("headers", {})}
        return await self.client.request(method, path, headers=headers, **options)

    async def create(self, length: int, **pairs: str) -> httpx.Response:
        given = {"upload-length": str(length), **({"upload-metadata": metadata(**pairs)} if pairs else {})}
        return await self.ask("POST", "/uploads", headers=given)

    async def begin(self, length: int, **pairs: str) -> str:
        """The address of a new upload."""
        response = await self.create(length, **pairs)
        assert response.status_code == 201, response.text
        return response.headers["location"]

    async def patch(self, path: str, offset: int, data: bytes, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.ask("PATCH", path, content=data, headers={**PIECE, "upload-offset": str(offset), **named})

    async def offset(self, path: str) -> int:
        response = await self.ask("HEAD", path)
        assert response.status_code == 200
        return int(response.headers["upload-offset"])

    async def send(self, path: str, data: bytes, size: int) -> httpx.Response:
        """Send the rest, from where the server is. Returns its last word, which names the evidence."""
        offset = await self.offset(path)
        while True:
            if offset == len(data):
                return await self.ask("HEAD", path)
            piece = data[offset : offset + size]
            response = await self.patch(path, offset, piece, **checksum(piece))
            assert response.status_code == 204, response.text
            offset = int(response.headers["upload-offset"])
