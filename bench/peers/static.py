"""Serves static bytes over HTTP. No server can be faster, so it shows the limit of the load itself.

`python -m bench.peers.static PORT`
"""

import asyncio
import sys
from typing import Any

import uvloop

BODY = b'{"data":{"enterprise":{"name":"xxxxxxxxxxxxxxxxxxxxxxxx","riskGrade":"YELLOW"}}}'
RESPONSE = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(BODY), BODY)


class Static(asyncio.Protocol):
    """One connection. Each request arrives as a whole, as those of the load do."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(RESPONSE)


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Static, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
