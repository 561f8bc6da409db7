"""Cases (案件) proposed on inspections."""

import datetime as dt
from random import Random
from typing import Any

import models
from models import CaseStatus, PenaltyKind
from resolvers.demo.clock import Clock, at_work, later, local_date
from resolvers.demo.draws import between, pick, urn, whole
from resolvers.demo.scene import Scene

NEW_DAYS = 10
YOUNG_DAYS = 100  # after that most cases are decided
GROUNDS = (
    "未按规定对安全设备进行经常性维护、保养和定期检测",
    "未如实记录安全生产教育和培训情况",
    "未采取措施消除事故隐患",
    "特种作业人员未按规定取得相应资格上岗作业",
    "危险物品未按规定分区分类储存",
    "疏散通道、安全出口被占用、堵塞",
    "未为从业人员提供符合标准的劳动防护用品",
)
PENALTIES = urn(
    ([PenaltyKind.FINE], 6),
    ([PenaltyKind.WARNING], 4),
    ([PenaltyKind.WARNING, PenaltyKind.FINE], 4),
    ([PenaltyKind.FINE, PenaltyKind.SUSPENSION], 2),
    ([PenaltyKind.FINE, PenaltyKind.CONFISCATION], 1),
    ([PenaltyKind.REVOCATION], 1),
)
S = CaseStatus
# The statuses of a case after the proposal, by its last one, along the shortest path.
WAYS = {
    S.PROPOSED: (),
    S.NOT_FILED: (S.NOT_FILED,),
    S.FILED: (S.FILED,),
    S.INVESTIGATING: (S.FILED, S.INVESTIGATING),
    S.NOTIFIED: (S.FILED, S.INVESTIGATING, S.NOTIFIED),
    S.HEARING: (S.FILED, S.INVESTIGATING, S.NOTIFIED, S.HEARING),
    S.DECIDED: (S.FILED, S.INVESTIGATING, S.NOTIFIED, S.DECIDED),
    S.NO_PENALTY: (S.FILED, S.INVESTIGATING, S.NO_PENALTY),
    S.TRANSFERRED: (S.FILED, S.INVESTIGATING, S.TRANSFERRED),
    S.WITHDRAWN: (S.FILED, S.INVESTIGATING, S.WITHDRAWN),
    S.EXECUTING: (S.FILED, S.INVESTIGATING, S.NOTIFIED, S.DECIDED, S.EXECUTING),
    S.CLOSED: (S.FILED, S.INVESTIGATING, S.NOTIFIED, S.DECIDED, S.EXECUTING, S.CLOSED),
}
WITHOUT_PENALTY = (S.FILED, S.INVESTIGATING, S.NO_PENALTY, S.CLOSED)
DECISIONS = frozenset({S.DECIDED, S.NO_PENALTY, S.TRANSFERRED, S.WITHDRAWN})


def propose(
    scene: Scene, rng: Random, inspection: dict[str, Any], submitted: dt.datetime, inspector: str, major: bool
) -> None:
    """Add the case of a submitted inspection in the state that it has reached by midnight."""
    days = (scene.clock.midnight - submitted).total_seconds() / 86_400
    old = days >= YOUNG_DAYS
    status = S.PROPOSED if days < NEW_DAYS else (scene.old_cases if old else scene.young_cases).deal()
    way = WITHOUT_PENALTY if status is S.CLOSED and rng.random() < 0.1 else WAYS[status]
    times = _times(scene.clock, rng, submitted, len(way))
    case = scene.rows.add(
        models.Case,
        inspection_id=inspection["id"],
        enterprise_id=inspection["enterprise_id"],
        status=status,
        grounds=pick(rng, GROUNDS),
        version=1 + len(way),
    )
    scene.log.step(submitted, case, None, S.PROPOSED, inspector=inspector, major=major)
    for before, step, at in zip((S.PROPOSED, *way), way, times, strict=False):
        scene.log.step(at, case, before, step, major=major)
        if step is S.FILED:
            case.update(filed_at=at, number=f"（杭萧）应急立〔{local_date(at).year}〕{case['id']:06d} 号")
        elif step in DECISIONS:
            case["decided_at"] = at
        elif step is S.CLOSED:
            case["closed_at"] = at
    if S.DECIDED in way:
        kinds = pick(rng, PENALTIES)
        case["penalty_kinds"] = kinds
        case["fine_yuan"] = 1_000 * whole(rng, 2, 100) if PenaltyKind.FINE in kinds else None


def _times(clock: Clock, rng: Random, submitted: dt.datetime, steps: int) -> list[dt.datetime]:
    """Times of the steps, about two weeks apart, or closer where midnight comes sooner."""
    hours = min(14 * 24.0, (clock.midnight - submitted).total_seconds() / 3600 / (steps + 1))
    at, times = submitted, []
    for _ in range(steps):
        at = clock.earlier(at_work(later(at, between(rng, 0.3, 1) * hours)))
        times.append(at)
    return times
