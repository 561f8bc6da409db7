"""A map of very many enterprises: their marks are drawn as one image, and still lead to the enterprises."""

import re
from typing import Any

import httpx
from playwright.async_api import Browser, Route, expect

from tests.support.server_process import Process
from tests.support.wall_browser import EXPECTED, until
from tests.support.watched_page import watched_page

COPIES = 40  # of the demo's enterprises, so that there are more than can be drawn one by one
OPTIONS = {"locale": "zh-CN", "color_scheme": "dark", "viewport": {"width": 1920, "height": 1080}}
VENUES = "{ venues(first: 20) { nodes { id zone { id } location { longitude latitude } } } }"
# The middle of the pixels of the red of a mark (--risk-red), on the screen; null without any.
RED = """(() => {
  for (const canvas of document.querySelectorAll('main canvas')) {
    const { width, height } = canvas;
    const { data } = canvas.getContext('2d').getImageData(0, 0, width, height);
    const at = [];
    for (let p = 0; p < data.length; p += 4) if (data[p] === 0xf0 && data[p + 1] === 0x52 && data[p + 2] === 0x4f) at.push(p / 4);
    if (at.length === 0) continue;
    const middle = at[at.length >> 1], { left, top } = canvas.getBoundingClientRect();
    return [left + middle % width, top + Math.floor(middle / width)];
  }
  return null;
})()"""  # noqa: E501  # one condition of a script


def crowd(venue: dict[str, float]) -> Any:
    """Answers with one enterprise at the venue, copies of all others far away, and no alarm."""

    async def answer(route: Route) -> None:
        query = route.request.post_data or ""
        if "enterpriseMap(" not in query and "query Standing" not in query:
            await route.fallback()
            return
        data = await (response := await route.fetch()).json()
        if "query Standing" in query:
            for name in ("calls", "major", "warnings"):  # They would dim the map.
                data["data"][name]["nodes"] = []
            await route.fulfill(response=response, json=data)
            return
        for group in data["data"]["enterpriseMap"]["points"]:
            first = 1 if group["riskGrade"] == "RED" else 0
            if first:
                group["longitudes"][0], group["latitudes"][0] = venue["longitude"] + 0.002, venue["latitude"]
            ids = group["ids"]
            group["longitudes"] = [*group["longitudes"][:first], *[119.0] * (len(ids) * COPIES)]
            group["latitudes"] = [*group["latitudes"][:first], *[29.0] * (len(ids) * COPIES)]
            group["ids"] = [*ids[:first], *(f"{id} {copy}" for id in ids for copy in range(COPIES))]
        await route.fulfill(response=response, json=data)

    return answer


async def test_a_mark_in_a_crowd_is_drawn_and_leads_to_its_enterprise(chromium: Browser, served: Process) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        data = (await client.post(f"{served.address}/graphql", json={"query": VENUES})).json()["data"]
    venue = next(node for node in data["venues"]["nodes"] if node["zone"] and node["location"])
    async with watched_page(chromium, served.address, EXPECTED, **OPTIONS) as watched:
        page = watched.page
        await page.route("**/graphql", crowd(venue["location"]))
        async with page.expect_response(re.compile(r"/assets/VectorImage-.*\.js")):
            await page.goto(f"{served.address}/wall/?venue={venue['id']}")
        await expect(page.get_by_text("实时")).to_be_visible()
        # When the map has come to rest.
        places: list[Any] = [None]

        async def rests() -> bool:
            places.append(await page.evaluate(RED))
            return places[-1] is not None and places[-1] == places[-2]

        await until(rests)
        await page.mouse.click(*places[-1])
        await expect(page).to_have_url(re.compile("enterprise="))


async def test_a_few_marks_are_drawn_one_by_one(chromium: Browser, served: Process) -> None:
    async with watched_page(chromium, served.address, EXPECTED, **OPTIONS) as watched:
        loaded: list[str] = []
        watched.page.on("response", lambda response: loaded.append(response.url))
        await watched.page.goto(f"{served.address}/wall/")
        await expect(watched.page.get_by_role("application", name=re.compile("地图，[1-9]"))).to_be_visible()
        assert not [url for url in loaded if "VectorImage" in url]
