"""Hazards (隐患). Each runs through its life cycle until it ends or midnight comes, so that times and status agree."""

import datetime as dt
from random import Random
from typing import Any

import models
from models import HAZARD_TERMINAL, EventKind, ExtensionStatus, HazardLevel, HazardStatus, Role
from resolvers.demo import evidence, people
from resolvers.demo.clock import at_work, end_of_work, later
from resolvers.demo.draws import between, pick, whole
from resolvers.demo.industries import Trade
from resolvers.demo.phrases import BY_TRADE, COMMON, MAJOR, PARTS
from resolvers.demo.scene import Scene

MAJOR_SHARE = {Trade.CHEMICAL: 0.09, Trade.FACTORY: 0.04, Trade.PUBLIC: 0.03, Trade.BUILDING: 0.05}
ON_THE_SPOT_SHARE = 0.15
EXTENSION_SHARE = 0.1
LATE_SHARE = 0.1
EVIDENCE_SHARE = 0.15
# Share of the hazards in a state that never leave it.
STUCK = {
    HazardStatus.FOUND: 0.004,
    HazardStatus.ASSIGNED: 0.006,
    HazardStatus.RECTIFYING: 0.012,
    HazardStatus.PENDING_ACCEPTANCE: 0.005,
    HazardStatus.ACCEPTED: 0.006,
}
REASONS = ("整改所需设备到货延迟", "需停产检修，等待生产间隙", "设计单位方案尚在论证", "受天气影响，室外施工推迟")


class Life:
    """The life of one hazard. Each step returns its time, or None where it was not done by midnight."""

    def __init__(
        self, scene: Scene, rng: Random, enterprise: dict[str, Any], row: dict[str, Any], inspector: str | None
    ) -> None:
        self.scene, self.rng, self.enterprise, self.row, self.inspector = scene, rng, enterprise, row, inspector
        self.settled_at: dt.datetime | None = None
        self.major = row["level"] is HazardLevel.MAJOR

    @property
    def terminal(self) -> bool:
        return self.row["status"] in HAZARD_TERMINAL

    def run(self) -> None:
        found_at: dt.datetime = self.row["found_at"]
        self._note(found_at, None, self.row["status"])
        by_enterprise = self.row["status"] is HazardStatus.UNDER_REVIEW
        if not by_enterprise and not self.major and self.rng.random() < ON_THE_SPOT_SHARE:
            rectified = self._hand_in(found_at, "当场整改完毕")
        else:
            # An enterprise's own report waits longer, because it is reviewed first.
            assigned = self._judge(found_at, *((24, 360) if by_enterprise else (3, 60)))
            started = assigned and self._start(assigned)
            rectified = started and self._rectify(started)
        accepted = rectified and self._accept(rectified)
        if accepted:
            self._close(accepted)

    def _reach(self, moment: dt.datetime, status: HazardStatus) -> bool:
        """Move to a status, unless the hazard is stuck or midnight comes first."""
        stuck = self.rng.random() < STUCK.get(self.row["status"], 0)
        if stuck or not self.scene.clock.reached(moment):
            return False
        self._note(moment, self.row["status"], status)
        self.row["status"] = status
        self.row["version"] += 1
        return True

    def _note(self, at: dt.datetime, before: HazardStatus | None, after: HazardStatus) -> None:
        self.scene.log.step(at, self.row, before, after, inspector=self.inspector, major=self.major)

    def _note_extension(self, at: dt.datetime, kind: EventKind, role: Role) -> None:
        status = self.row["status"]
        self.scene.log.happened(at, kind, self.row, role, before=status, after=status, major=self.major)

    def _judge(self, found_at: dt.datetime, soonest: float, latest: float) -> dt.datetime | None:
        at = at_work(later(found_at, between(self.rng, soonest, latest)))
        if self.rng.random() < 0.04:
            if self._reach(at, HazardStatus.DISMISSED):
                self.settled_at = at
            return None
        if not self._reach(at, HazardStatus.ASSIGNED):
            return None
        self._own()
        self.row["deadline"] = end_of_work(later(at, 24 * whole(self.rng, *((15, 60) if self.major else (5, 30)))))
        return at

    def _own(self) -> None:
        own = self.rng.random() < 0.6
        self.row["owner_name"] = self.enterprise["safety_name"] if own else people.name(self.rng)
        self.row["owner_phone"] = self.enterprise["safety_phone"] if own else people.phone(self.rng)

    def _start(self, assigned: dt.datetime) -> dt.datetime | None:
        at = at_work(later(assigned, between(self.rng, 1, 40)))
        if not self._reach(at, HazardStatus.RECTIFYING):
            return None
        if self.major:
            self.row.update(
                fix_responsibility=f"{self.enterprise['legal_name']}（主要负责人）包干，{self.row['owner_name']}具体落实",
                fix_measures="停用相关部位，制定整改方案，专家论证后施工",
                fix_funds=f"{whole(self.rng, 3, 80)} 万元，列入年度安全费用",
                fix_deadline=self.row["deadline"],
                fix_contingency_plan="整改期间专人值守，备足物资，险情出现立即撤人停产",
            )
        return self._extend(at)

    def _extend(self, started: dt.datetime) -> dt.datetime | None:
        """Some enterprises request an extension, and wait for the decision. Returns when the work continues."""
        deadline: dt.datetime = self.row["deadline"]
        if self.rng.random() >= EXTENSION_SHARE:
            return started
        requested = at_work(later(started, between(self.rng, 0.5, 0.8) * (deadline - started).total_seconds() / 3600))
        decided = at_work(later(requested, between(self.rng, 10, 140)))
        approved = self.rng.random() < 0.7
        wanted = later(deadline, 24 * whole(self.rng, 7, 30))
        clock = self.scene.clock
        if not clock.reached(requested):
            return None
        known = clock.reached(decided)
        answer = ExtensionStatus.APPROVED if approved else ExtensionStatus.REFUSED
        self.scene.rows.add(
            models.DeadlineExtension,
            hazard_id=self.row["id"],
            from_deadline=deadline,
            to_deadline=wanted,
            reason=pick(self.rng, REASONS),
            status=answer if known else ExtensionStatus.REQUESTED,
            requested_at=requested,
            decided_at=decided if known else None,
        )
        self._note_extension(requested, EventKind.HAZARD_EXTENSION_REQUESTED, Role.ENTERPRISE)
        if known:
            self._note_extension(decided, EventKind.HAZARD_EXTENSION_DECIDED, Role.COMMANDER)
        self.row["version"] += 1 + known
        if known and approved:
            self.row["deadline"] = wanted
        return decided if known else None

    def _rectify(self, started: dt.datetime) -> dt.datetime | None:
        hours = (self.row["deadline"] - started).total_seconds() / 3600
        if self.rng.random() < LATE_SHARE or hours <= 0:
            at = later(max(started, self.row["deadline"]), between(self.rng, 5, 480))
        else:
            at = later(started, between(self.rng, 0.1, 0.9) * hours)
        return self._hand_in(at_work(at), "已按要求整改完毕，附整改前后照片")

    def _hand_in(self, at: dt.datetime, statement: str) -> dt.datetime | None:
        if not self._reach(at, HazardStatus.PENDING_ACCEPTANCE):
            return None
        self.row.update(rectified_at=at, rectification=statement)
        if "owner_name" not in self.row:
            self._own()
        return at

    def _accept(self, rectified: dt.datetime) -> dt.datetime | None:
        at = at_work(later(rectified, between(self.rng, 8, 150)))
        if self.rng.random() < 0.06 and self._reach(at, HazardStatus.RECTIFYING):
            # Rejected: the submission no longer counts, and the next one comes later.
            self.row["rectified_at"] = None
            again = self._hand_in(at_work(later(at, between(self.rng, 24, 200))), "退回后重新整改完毕，附照片")
            if again is None:
                return None
            at = at_work(later(again, between(self.rng, 8, 100)))
        if not self._reach(at, HazardStatus.ACCEPTED):
            return None
        self.row["accepted_at"] = at
        return at

    def _close(self, accepted: dt.datetime) -> None:
        at = at_work(later(accepted, between(self.rng, 4, 120)))
        if self._reach(at, HazardStatus.CLOSED):
            self.row["closed_at"] = self.settled_at = at


def live(
    scene: Scene,
    rng: Random,
    enterprise: dict[str, Any],
    trade: Trade,
    found_at: dt.datetime,
    inspection: int | None = None,
    inspector: str | None = None,
) -> Life:
    """Add a hazard found by an inspection or reported by the enterprise, and run its life."""
    major = rng.random() < MAJOR_SHARE[trade]
    choices = MAJOR[trade] if major else BY_TRADE[trade] if rng.random() < 0.6 else COMMON
    category, description = pick(rng, choices)
    row = scene.rows.add(
        models.Hazard,
        enterprise_id=enterprise["id"],
        inspection_id=inspection,
        level=HazardLevel.MAJOR if major else HazardLevel.GENERAL,
        status=HazardStatus.UNDER_REVIEW if inspection is None else HazardStatus.FOUND,
        category=category,
        description=description.format(pick(rng, PARTS[trade])),
        found_at=found_at,
        version=1,
    )
    life = Life(scene, rng, enterprise, row, inspector)
    life.run()
    if row.get("rectified_at") and rng.random() < EVIDENCE_SHARE:
        evidence.of_hazard(scene, rng, row["id"], row["rectified_at"])
    return life
