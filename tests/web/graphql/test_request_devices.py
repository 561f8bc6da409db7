"""A device names itself by a header or in connection_init, and so an act that it repeats is carried out once."""

from typing import Any

import httpx
import pytest

from models.visibility import Role
from tests.support.patience import PATIENCE
from tests.support.stream_clients import LiveDistrict, closed, ended
from web.graphql import close_codes

pytestmark = pytest.mark.database_independent

DEVICE = "2b1f6c9e-1111-4222-8333-0123456789ab"
REPORT = """
mutation($input: HazardReportInput!) { hazardReport(input: $input) { ... on HazardReported { hazard { id } } } }
"""


def report(live: LiveDistrict, name: str) -> dict[str, Any]:
    given = {"enterprise": live.world.id("enterprise"), "level": "GENERAL", "description": "线路老化"}
    return {**given, "clientMutationId": name}


async def send(live: LiveDistrict, token: str, device: str | None, name: str) -> Any:
    headers = {"authorization": f"Bearer {token}"} | ({} if device is None else {"huhang-device": device})
    body = {"query": REPORT, "variables": {"input": report(live, name)}}
    async with httpx.AsyncClient(base_url=live.address, headers=headers, timeout=PATIENCE) as client:
        return (await client.post("/graphql", json=body)).json()


async def test_a_colleague_repeats_an_act_of_the_device_over_http_and_sockets(live: LiveDistrict) -> None:
    officer = live.token(Role.INSPECTOR, inspector=f"b0{live.world.mark}")
    first = (await send(live, officer, DEVICE, "http"))["data"]["hazardReport"]
    assert (await send(live, live.token(), DEVICE, "http"))["data"]["hazardReport"] == first
    assert (await send(live, live.token(), None, "http"))["data"]["hazardReport"] != first
    by_header = {"huhang-device": DEVICE}
    async with live.socket(init=False) as named, live.socket(additional_headers=by_header) as headed:
        await named.init(Authorization=f"Bearer {live.token()}", device=DEVICE)
        for socket in (named, headed):
            await socket.subscribe("1", REPORT, input=report(live, "socket"))
            shown = (await socket.next("1"))["hazardReport"]
            assert (await send(live, officer, DEVICE, "socket"))["data"]["hazardReport"] == shown


@pytest.mark.parametrize("device", ["", "short", "x" * 65, "sixteen chars of", "ключ-ключ-ключ-ключ"])
async def test_a_name_that_no_device_has_is_refused(live: LiveDistrict, device: str) -> None:
    async with live.socket(init=False) as socket:
        await socket.send({"type": "connection_init", "payload": {"device": device}})
        code, reason = await ended(socket)
        assert (code, reason.split(": ")[0]) == closed(close_codes.BAD_MESSAGE)
    if device.isascii():
        [error] = (await send(live, live.token(), device, "bad"))["errors"]
        assert error["extensions"]["reason"] == "DEVICE_MALFORMED"
