"""The graph as the field page asks it, answered in the browser: an officer's round and an enterprise's state."""

import datetime as dt
import json
from dataclasses import dataclass
from typing import Any

from playwright.async_api import BrowserContext, Route

from tests.support.fake_auth import COMMANDER, FakeAuth, Json

ZONE: Json = {"id": "Wm9uZToy", "name": "瓜沥战区", "nameEn": "Guali"}


def inspector() -> Json:
    return {**COMMANDER, "account": 7, "fullName": "周立明", "role": "INSPECTOR"}


def enterprise() -> Json:
    return {**COMMANDER, "account": 8, "fullName": "章海燕", "role": "ENTERPRISE"}


def at(**later: float) -> str:
    """A time so much later than now."""
    return (dt.datetime.now(dt.UTC) + dt.timedelta(**later)).isoformat()


def place(number: int, name: str, grade: str) -> Json:
    return {
        "id": f"RW50ZXJwcmlzZTo{number}",
        "name": name,
        "riskGrade": grade,
        "address": "瓜沥镇航坞路 1 号",
        "industry": "机械加工",
        "hazardousChemicals": False,
        "location": {"latitude": 30.17 + number / 100, "longitude": 120.45},
        "zone": ZONE,
        "safetyContact": {"name": "俞国平", "phone": "15400213307"},
        "open": {"totalCount": 2},
        "major": {"totalCount": 1},
    }


def inspection(number: int, name: str, grade: str, status: str, **more: Any) -> Json:
    times = {"dispatchedAt": at(hours=-1), "acknowledgedAt": at(minutes=-50), "departedAt": None, "arrivedAt": None}
    return {
        "id": f"SW5zcGVjdGlvbjo{number}",
        "kind": "ROUTINE",
        "status": status,
        "plannedFor": at(minutes=28 * number),
        **times,
        "version": 1,
        "inspectors": [{"id": "SW5zcGVjdG9yOjE", "fullName": "周立明", "badge": "XS3008"}],
        "assistanceRequest": None,
        "hazards": {"nodes": []},
        "enterprise": place(number, name, grade),
        **more,
    }


def round_of(*inspections: Json) -> Json:
    person = {
        "id": "SW5zcGVjdG9yOjE",
        "badge": "XS3008",
        "fullName": "周立明",
        "onDuty": True,
        "position": {"latitude": 30.18, "longitude": 120.45},
        "positionAt": at(minutes=-1),
        "inspections": {"nodes": list(inspections)},
        "done": {"totalCount": 2},
    }
    return {"cursor": "1", "viewer": {"inspector": person}, "district": district()}


def district() -> Json:
    office = {"id": "Q29tbWFuZDox", "kind": "OFFICE", "lead": {"phone": "15400000119"}}
    return {"id": "RGlzdHJpY3Q6MQ", "name": "萧山区", "timeZone": "Asia/Shanghai", "command": [office]}


def hazard(number: int, level: str, description: str, **more: Any) -> Json:
    return {
        "id": f"SGF6YXJkOj{number}",
        "level": level,
        "status": "RECTIFYING",
        "category": "消防安全",
        "description": description,
        "foundAt": at(days=-3),
        "deadline": at(days=2, hours=3),
        "overdue": False,
        "rectifiedAt": None,
        "acceptedAt": None,
        "version": 1,
        "fiveFix": None,
        "extensions": [],
        "evidence": [],
        **more,
    }


def state() -> Json:
    hazards = [
        hazard(1, "GENERAL", "叉车通道标线磨损", deadline=at(hours=-9), overdue=True),
        hazard(2, "MAJOR", "消防水泵不能自启"),
    ]
    portrait = {"from": "2026-06-01", "to": "2026-06-30", "hazardsFound": 13, "hazardsRectified": 11}
    rates = {"rectificationRate": 0.846, "hazardsOpen": 2, "hazardsOverdue": 1}
    call = {"id": "QXNzaXN0YW5jZTox", "problem": "东侧雨水井倒灌", "status": "OPEN", "requestedAt": at(minutes=-6)}
    own = {
        "id": "RW50ZXJwcmlzZTox",
        "name": "浙越化工二厂",
        "zone": ZONE,
        "portrait": {**portrait, **rates},
        "hazards": {"totalCount": 2, "nodes": hazards},
        "inspections": {"nodes": []},
        "assistanceRequests": {"nodes": [{**call, "inspection": None}]},
        "dutyReports": {"nodes": []},
    }
    times = {"issuedAt": at(hours=-1), "headline": "6 小时 50 毫米以上"}
    warning = {"id": "V2FybmluZzox", "kind": "RAINSTORM", "level": "YELLOW", **times, "zone": ZONE}
    where = {name: value for name, value in district().items() if name != "command"}
    return {"cursor": "1", "viewer": {"enterprise": own}, "warnings": {"nodes": [warning]}, "district": where}


ROUND = (
    ("东港机械一厂", "RED", "EN_ROUTE"),
    ("浙越化工二厂", "ORANGE", "ACKNOWLEDGED"),
    ("富丽涂料四厂", "YELLOW", "ACKNOWLEDGED"),
    ("新湾食品七厂", "BLUE", "DISPATCHED"),
)


@dataclass
class FakeField(FakeAuth):
    """The server of a field page. `answers_by_name` has the data of each query by its name."""

    answers_by_name: dict[str, Json] | None = None

    async def install(self, context: BrowserContext) -> None:
        await super().install(context)
        await context.route("**/graphql", self._graph)

    async def _graph(self, route: Route) -> None:
        query = json.loads(route.request.post_data or "{}")["query"]
        for name, data in (self.answers_by_name or {}).items():
            if f" {name}" in query:
                return await route.fulfill(json={"data": data})
        return await route.fulfill(json={"errors": [{"message": "no answer", "extensions": {"code": "NOT_FOUND"}}]})


def officer_on_round() -> FakeField:
    tasks = [inspection(number, *each) for number, each in enumerate(ROUND, 1)]
    return FakeField(viewer=inspector(), answers_by_name={"FieldRound": round_of(*tasks)})


def officer_on_site() -> FakeField:
    task = inspection(1, "东港机械一厂", "RED", "ON_SITE", arrivedAt=at(minutes=-5))
    return FakeField(viewer=inspector(), answers_by_name={"FieldRound": round_of(task)})


def officer_called() -> FakeField:
    request = {"id": "QXNzaXN0YW5jZTox", "problem": "厂区东侧雨水井倒灌", "requestedAt": at(minutes=-5)}
    task = inspection(1, "浙越化工二厂", "ORANGE", "DISPATCHED", kind="ASSISTANCE", assistanceRequest=request)
    return FakeField(viewer=inspector(), answers_by_name={"FieldRound": round_of(task)})


def enterprise_at_work() -> FakeField:
    return FakeField(viewer=enterprise(), answers_by_name={"FieldState": state()})
