"""Dispatches of teams, experts and stock, and the stock that they reserve.

Units of a stock item are reserved from ASSIGNED on. The units drawn at COMPLETED leave stock and reserve; the rest is
freed at RELEASED. So an item's `reserved` is the sum, over its dispatches from ASSIGNED to COMPLETED, of the quantity
less the units drawn; its `quantity` is what is left of the stock.
"""

import datetime as dt
from dataclasses import dataclass
from random import Random
from typing import Any

import models
from models import DispatchStatus
from resolvers.demo.clock import HISTORY_DAYS, later
from resolvers.demo.draws import Deck, between, generator, pick, urn, whole
from resolvers.demo.resources import EXPERTS, TEAMS, TEAMS_OF_EACH_KIND
from resolvers.demo.scene import Scene

OVER = urn((DispatchStatus.RELEASED, 8), (DispatchStatus.CANCELLED, 2), (DispatchStatus.DECLINED, 1))
PAST = 88
UNDER_WAY = 4 * (
    DispatchStatus.REQUESTED,
    DispatchStatus.ON_SCENE,
    DispatchStatus.ASSIGNED,
    DispatchStatus.EN_ROUTE,
    DispatchStatus.COMPLETED,
    DispatchStatus.ACKNOWLEDGED,
    DispatchStatus.ON_SCENE,
    DispatchStatus.ASSIGNED,
)
COURSE = (
    DispatchStatus.REQUESTED,
    DispatchStatus.ASSIGNED,
    DispatchStatus.ACKNOWLEDGED,
    DispatchStatus.EN_ROUTE,
    DispatchStatus.ON_SCENE,
    DispatchStatus.COMPLETED,
    DispatchStatus.RELEASED,
)
# A dispatch reserves stock from its assignment until its release.
HOLDING = COURSE[1:-1]
PURPOSES = {
    "team": ("现场警戒和救援备勤", "协助企业排险", "强降雨排涝增援", "联合演练"),
    "expert": ("现场技术指导", "隐患会诊", "险情研判"),
    "stock": ("补充防汛物资", "补充泄漏处置物资", "补充个体防护装备", "场馆外围值守保障"),
}


@dataclass(frozen=True)
class Target:
    latitude: float
    longitude: float
    enterprise_id: int | None = None
    venue_id: int | None = None


class _Resources:
    """The resources to send, in turn: nobody is sent twice before everybody else was sent once."""

    def __init__(self, teams: int, experts: int, stock: list[dict[str, Any]]) -> None:
        rng = generator("dispatch order")
        self.kinds = Deck(("team", "stock", "expert"))
        self._teams = Deck(rng.sample(range(1, teams + 1), teams))
        self._experts = Deck(rng.sample(range(1, experts + 1), experts))
        self._stock = Deck(rng.sample(stock, len(stock)))

    def send(self, rng: Random, kind: str, status: DispatchStatus) -> dict[str, int]:
        """The columns of the next resource; removes it from the free ones if the dispatch is in progress."""
        if kind == "team":
            return {"team_id": self._teams.deal()}
        if kind == "expert":
            return {"expert_id": self._experts.deal()}
        item = self._stock.deal()
        while item["quantity"] - item["reserved"] < 2:
            item = self._stock.deal()
        quantity = max(1, int((item["quantity"] - item["reserved"]) / between(rng, 4, 12)))
        columns = {"stock_item_id": item["id"], "quantity": quantity}
        if status in (DispatchStatus.COMPLETED, DispatchStatus.RELEASED):
            columns["drawn"] = whole(rng, 0, quantity)
        if status in HOLDING:
            item["reserved"] += quantity - columns.get("drawn", 0)
        return columns


def send(scene: Scene, targets: list[Target], stock: list[dict[str, Any]]) -> None:
    """Add dispatches, oldest first, and set the reserves of the stock items, whose rows are not written yet."""
    resources = _Resources(len(TEAMS) * TEAMS_OF_EACH_KIND, EXPERTS, stock)
    for number in range(PAST):
        rng = generator("dispatch", number)
        requested = scene.clock.day(2 + (HISTORY_DAYS - 2) * (PAST - number) // PAST, between(rng, 6, 18))
        _dispatch(scene, rng, resources, OVER[number % len(OVER)], pick(rng, targets), requested)
    for number, status in enumerate(UNDER_WAY):
        rng = generator("dispatch under way", number)
        # From ten to five hours before midnight, so that there was time for all the steps.
        requested = later(scene.clock.midnight, -10 + 5 * number / len(UNDER_WAY))
        _dispatch(scene, rng, resources, status, pick(rng, targets), requested)


def _dispatch(
    scene: Scene, rng: Random, resources: _Resources, status: DispatchStatus, target: Target, requested: dt.datetime
) -> None:
    kind = resources.kinds.deal()
    arrived = later(requested, between(rng, 0.4, 2))
    completed = later(arrived, between(rng, 0.5, 3))
    # A request may be cancelled before anything is assigned.
    unassigned = status is DispatchStatus.REQUESTED or (status is DispatchStatus.CANCELLED and rng.random() < 0.4)
    steps = COURSE.index(status) if status in COURSE else 2 - unassigned
    row = scene.rows.add(
        models.Dispatch,
        status=status,
        purpose=pick(rng, PURPOSES[kind]),
        latitude=target.latitude,
        longitude=target.longitude,
        enterprise_id=target.enterprise_id,
        venue_id=target.venue_id,
        requested_at=requested,
        arrived_at=arrived if steps >= COURSE.index(DispatchStatus.ON_SCENE) else None,
        completed_at=completed if steps >= COURSE.index(DispatchStatus.COMPLETED) else None,
        version=1 + steps,
        **({} if unassigned else resources.send(rng, kind, status)),
    )
    _note(scene, row, steps, arrived, completed)


def _note(scene: Scene, row: dict[str, Any], steps: int, arrived: dt.datetime, completed: dt.datetime) -> None:
    """Record the events of its steps, at the times that it has or would have had."""
    requested, status = row["requested_at"], row["status"]
    way = [*COURSE[: steps + 1]] if status in COURSE else [*COURSE[:steps], status]
    times = [requested + (arrived - requested) * share for share in (0, 0.2, 0.35, 0.5, 1)]
    times += [completed, later(completed, 0.5)]
    for before, after, at in zip((None, *way), way, times, strict=False):
        scene.log.step(at.replace(microsecond=0), row, before, after)
