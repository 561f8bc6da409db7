"""Inspections (检查) of one enterprise, oldest first, with their hazards and cases."""

import datetime as dt
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random
from typing import Any

import models
from models import AssistanceStatus, EventKind, InspectionKind, InspectionResult, InspectionStatus, RiskGrade, Role
from resolvers.demo import cases, evidence, hazards
from resolvers.demo.assistance import Call
from resolvers.demo.clock import HISTORY_DAYS, at_work, later
from resolvers.demo.draws import between, pick, urn, whole
from resolvers.demo.industries import Trade
from resolvers.demo.scene import Night, Scene

# Inspections in eighteen months, more or less two.
VISITS = {RiskGrade.RED: 7, RiskGrade.ORANGE: 5, RiskGrade.YELLOW: 5, RiskGrade.BLUE: 4, None: 3}
PLANNED_SHARE = 0.25
CANCELLED_SHARE = 0.05
REINSPECTION_SHARE = 0.35
CASE_SHARE = 0.08
EVIDENCE_SHARE = 0.12
OWN_REPORT_SHARE = 0.5
KINDS = urn((InspectionKind.ROUTINE, 12), (InspectionKind.SPECIAL, 5), (InspectionKind.COMPLAINT, 2))
RESULTS = urn(
    (InspectionResult.HAZARDS_FOUND, 72),
    (InspectionResult.PASS, 20),
    (InspectionResult.NOT_OPERATING, 4),
    (InspectionResult.NOT_APPLICABLE, 2),
    (InspectionResult.REFUSED, 2),
)
FOUND_COUNTS = urn((1, 3), (2, 6), (3, 6), (4, 4), (5, 1))
CREW_SIZES = urn((1, 2), (2, 6), (3, 2))
SUMMARIES = {
    InspectionResult.PASS: "现场和台账检查未发现隐患，各项管控措施落实到位",
    InspectionResult.HAZARDS_FOUND: "检查发现隐患 {} 处，已下达责令限期整改指令书",
    InspectionResult.REFUSED: "企业拒绝检查，已告知法律责任并固定证据",
    InspectionResult.NOT_OPERATING: "企业停产歇业，已核对断电、清料和封存情况",
    InspectionResult.NOT_APPLICABLE: "现场已搬迁或不属本次检查范围",
}
COURSE = (
    InspectionStatus.PLANNED,
    InspectionStatus.DISPATCHED,
    InspectionStatus.ACKNOWLEDGED,
    InspectionStatus.EN_ROUTE,
    InspectionStatus.ON_SITE,
    InspectionStatus.SUBMITTED,
    InspectionStatus.IN_REVIEW,
    InspectionStatus.CLOSED,
)
STAMPS = ("dispatched_at", "acknowledged_at", "departed_at", "arrived_at", "submitted_at")


@dataclass
class Visit:
    """`lead` is the first inspector's name; `lives` are of its hazards; `carried`: a re-inspection covers them."""

    row: dict[str, Any]
    lead: str
    lives: list[hazards.Life] = field(default_factory=list)
    carried: bool = False

    @property
    def major(self) -> bool:
        return any(life.major for life in self.lives)


@dataclass
class History:
    open_hazards: int = 0
    last_submitted_at: dt.datetime | None = None


@dataclass
class Inspecting:
    """Makes the inspections of one enterprise."""

    scene: Scene
    rng: Random
    enterprise: dict[str, Any]
    trade: Trade
    visits: list[Visit] = field(default_factory=list)
    reported: list[hazards.Life] = field(default_factory=list)

    def past(self, day: int) -> None:
        """Add a visit planned for a past day: carried out or cancelled."""
        planned = self.scene.clock.day(day, 9 + whole(self.rng, 0, 24) / 4)
        visit = self._visit(self._kind(), planned_for=planned)
        dispatched = later(planned, -between(self.rng, 1, 16))
        departed = later(planned, -between(self.rng, 0, 0.25))
        self._note_plan(visit, later(dispatched, -24 - visit.row["id"] * 7 % 96), dispatched)
        if self.rng.random() < CANCELLED_SHARE:
            self._cancel(visit, dispatched, planned)
            return
        arrived = later(departed, between(self.rng, 0.2, 0.8))
        times = [dispatched, later(dispatched, between(self.rng, 0.03, 0.6)), departed, arrived]
        self._submit(visit, [*times, later(arrived, between(self.rng, 0.5, 3))])

    def answer(self, call: Call) -> None:
        """Add a visit for a request for help, dispatched at once; in progress at midnight if the request says so."""
        visit = self._visit(InspectionKind.ASSISTANCE, tonight=call.visit, assistance_request_id=call.request["id"])
        times = self._rush(call.at)
        self._note_answer(visit, call, times)
        if call.visit is InspectionStatus.CANCELLED:
            visit.row.update(status=call.visit, dispatched_at=times[0], version=2)
        elif call.visit:
            self._under_way(visit, call.visit, times)
        else:
            self._submit(visit, times)
            resolved = later(times[-1], between(self.rng, 0.1, 0.8))
            call.resolve(resolved)
            steps = (AssistanceStatus.DISPATCHED, AssistanceStatus.RESOLVED)
            self.scene.log.step(resolved, call.request, *steps, inspector=visit.lead)

    def tonight(self, status: InspectionStatus) -> None:
        """Add a visit in progress at midnight."""
        times = self._rush(later(self.scene.clock.midnight, -between(self.rng, 1.8, 3)))
        visit = self._visit(self._kind(), tonight=status, planned_for=times[2])
        self._note_plan(visit, later(times[0], -0.1), times[0])
        self._under_way(visit, status, times)

    def plan(self) -> None:
        """Add a future visit."""
        planned = self.scene.clock.day(-whole(self.rng, 0, 30), 9 + whole(self.rng, 0, 28) / 4)
        visit = self._visit(self._kind(), planned_for=planned)
        midnight = self.scene.clock.midnight
        self._note_plan(visit, later(midnight, -12 - visit.row["id"] * 7 % 480), midnight)

    def report(self) -> None:
        """Add a hazard that the enterprise reported itself; half of them in the last weeks."""
        days = whole(self.rng, 1, 40 if self.rng.random() < 0.5 else HISTORY_DAYS)
        found_at = self.scene.clock.day(days, between(self.rng, 8, 18))
        self.reported.append(hazards.live(self.scene, self.rng, self.enterprise, self.trade, found_at))

    def _kind(self) -> InspectionKind:
        """The kind of the next visit, which may be a re-inspection after one with hazards."""
        previous_hazards = self.visits and self.visits[-1].lives
        return (
            InspectionKind.REINSPECTION
            if previous_hazards and self.rng.random() < REINSPECTION_SHARE
            else pick(self.rng, KINDS)
        )

    def _visit(self, kind: InspectionKind, tonight: InspectionStatus | None = None, **columns: Any) -> Visit:
        if kind is InspectionKind.REINSPECTION:
            columns["reinspection_of_id"] = self.visits[-1].row["id"]
        row = self.scene.rows.add(
            models.Inspection,
            enterprise_id=self.enterprise["id"],
            kind=kind,
            status=InspectionStatus.PLANNED,
            version=1,
            announced=kind is InspectionKind.ASSISTANCE,
            **columns,
        )
        visit = Visit(row, self._crew(row["id"], tonight))
        if kind is InspectionKind.REINSPECTION:
            self.visits[-1].carried = True
        self.visits.append(visit)
        return visit

    def _crew(self, inspection: int, tonight: InspectionStatus | None) -> str:
        """Assign inspectors. Returns the first one's name."""
        zone = self.enterprise["zone_id"]
        if tonight:
            crew = [self.scene.on_duty[zone].deal()]
        else:
            colleagues = self.scene.inspectors[zone]
            first = int(self.rng.random() * len(colleagues))
            crew = [colleagues[(first + place) % len(colleagues)] for place in range(pick(self.rng, CREW_SIZES))]
        for inspector in crew:
            self.scene.rows.add(models.InspectionInspector, inspection_id=inspection, inspector_id=inspector)
        return self.scene.names[crew[0]]

    def _rush(self, at: dt.datetime) -> list[dt.datetime]:
        """Times of the steps in `STAMPS` for inspectors who are sent at once; they arrive within a hundred minutes."""
        times = []
        for low, high in ((0.1, 0.5), (0.02, 0.15), (0.05, 0.25), (0.15, 0.7), (0.5, 2.5)):
            at = later(at, between(self.rng, low, high))
            times.append(at)
        return times

    def _under_way(self, visit: Visit, status: InspectionStatus, times: list[dt.datetime]) -> None:
        steps = COURSE.index(status)
        visit.row.update(zip(STAMPS[:steps], times, strict=False))
        visit.row.update(status=status, version=1 + steps)
        self._note_course(visit, times[:steps])

    def _cancel(self, visit: Visit, dispatched: dt.datetime, planned: dt.datetime) -> None:
        visit.row.update(status=InspectionStatus.CANCELLED, version=2)
        at, before = dispatched, InspectionStatus.PLANNED
        if self.rng.random() < 0.5:
            visit.row.update(dispatched_at=dispatched, version=3)
            self._note_course(visit, [dispatched])
            at, before = later(dispatched, (planned - dispatched).total_seconds() / 7200), InspectionStatus.DISPATCHED
        self.scene.log.step(at, visit.row, before, InspectionStatus.CANCELLED)
        if visit.row["kind"] is InspectionKind.REINSPECTION:
            self.visits[-2].carried = False

    def _submit(self, visit: Visit, times: list[dt.datetime]) -> None:
        row, submitted = visit.row, times[-1]
        result = pick(self.rng, RESULTS)
        number = pick(self.rng, FOUND_COUNTS) if result is InspectionResult.HAZARDS_FOUND else 0
        visit.lives = [
            hazards.live(self.scene, self.rng, self.enterprise, self.trade, submitted, row["id"], visit.lead)
            for _ in range(number)
        ]
        self._note_course(visit, times)
        row.update(zip(STAMPS, times, strict=True))
        row.update(result=result, summary=SUMMARIES[result].format(number))
        if self.rng.random() < EVIDENCE_SHARE:
            evidence.of_inspection(self.scene, self.rng, row["id"], submitted)
        if result is InspectionResult.REFUSED or (number and self.rng.random() < CASE_SHARE):
            cases.propose(self.scene, self.rng, row, submitted, visit.lead, visit.major)

    def _note_plan(self, visit: Visit, at: dt.datetime, latest: dt.datetime) -> None:
        """Record the plan: not before the inspection that it repeats was submitted, and not after the dispatch."""
        if visit.row["kind"] is InspectionKind.REINSPECTION:
            at = max(at, self.visits[-2].row["submitted_at"])
        self.scene.log.step(min(at_work(at), latest), visit.row, None, InspectionStatus.PLANNED)

    def _note_course(self, visit: Visit, times: list[dt.datetime]) -> None:
        """Record the steps from dispatch to submission that have times."""
        for (before, after), at in zip(pairwise(COURSE), times, strict=False):
            # Help is not planned, and its dispatch was recorded with the request.
            if after is not InspectionStatus.DISPATCHED or visit.row["kind"] is not InspectionKind.ASSISTANCE:
                major = after is InspectionStatus.SUBMITTED and visit.major
                self.scene.log.step(at, visit.row, before, after, inspector=visit.lead, major=major)

    def _note_answer(self, visit: Visit, call: Call, times: list[dt.datetime]) -> None:
        """Record that help was dispatched, and cancelled if it was."""
        log, sent = self.scene.log, InspectionStatus.DISPATCHED
        log.step(times[0], call.request, AssistanceStatus.OPEN, AssistanceStatus.DISPATCHED)
        log.happened(times[0], EventKind.INSPECTION_DISPATCHED, visit.row, Role.COMMANDER, after=sent)
        if call.visit is InspectionStatus.CANCELLED:
            log.step(times[1], visit.row, sent, InspectionStatus.CANCELLED)
            log.step(times[1], call.request, AssistanceStatus.DISPATCHED, AssistanceStatus.OPEN)

    def settle(self, visit: Visit) -> None:
        """Review a submitted visit. It is closed once all its hazards are settled or covered by a re-inspection."""
        row, submitted = visit.row, visit.row["submitted_at"]
        status, steps = InspectionStatus.SUBMITTED, 5
        if all(life.terminal for life in visit.lives):
            last = max((life.settled_at for life in visit.lives if life.settled_at), default=submitted)
            closed = at_work(later(max(last, submitted), between(self.rng, 5, 120)))
        elif visit.carried:
            closed = at_work(later(submitted, between(self.rng, 72, 400)))
        else:
            closed = None
        reviewed = at_work(later(submitted, between(self.rng, 4, 70)))
        clock = self.scene.clock
        if clock.reached(reviewed) and self.rng.random() > 0.02:
            status, steps = InspectionStatus.IN_REVIEW, 6
            self.scene.log.step(reviewed, row, COURSE[5], COURSE[6], major=visit.major)
            if closed and clock.reached(closed):
                status, steps = InspectionStatus.CLOSED, 7
                row["closed_at"] = max(closed, reviewed)
                self.scene.log.step(row["closed_at"], row, COURSE[6], COURSE[7], major=visit.major)
        row.update(status=status, version=1 + steps)


def history(
    scene: Scene, rng: Random, enterprise: dict[str, Any], trade: Trade, calls: list[Call], night: Night | None
) -> History:
    """Add an enterprise's inspections and hazards. Returns the derived values of its own row."""
    inspecting = Inspecting(scene, rng, enterprise, trade)
    number = VISITS[enterprise["risk_grade"]] + whole(rng, -2, 2)
    # Spread evenly: one in each stretch of the time.
    days = [1 + int(HISTORY_DAYS * (turn + rng.random()) / number) for turn in reversed(range(number))]
    due: list[tuple[dt.datetime, Call | int]] = [(scene.clock.day(day, 12), day) for day in days]
    due += [(call.at, call) for call in calls]
    for _, what in sorted(due, key=lambda pair: pair[0]):
        inspecting.past(what) if isinstance(what, int) else inspecting.answer(what)
    if night and night.visit and not night.call:
        inspecting.tonight(night.visit)
    if rng.random() < PLANNED_SHARE:
        inspecting.plan()
    for _ in range(2):
        if rng.random() < OWN_REPORT_SHARE:
            inspecting.report()
    for visit in inspecting.visits:
        if visit.row.get("submitted_at"):
            inspecting.settle(visit)
    lives = [life for visit in inspecting.visits for life in visit.lives] + inspecting.reported
    submitted = [visit.row["submitted_at"] for visit in inspecting.visits if visit.row.get("submitted_at")]
    return History(sum(not life.terminal for life in lives), max(submitted, default=None))
