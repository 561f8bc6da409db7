"""Duty reports, and the requests for help (协助) in them or on their own."""

import datetime as dt
from dataclasses import dataclass
from random import Random
from typing import Any

import models
from models import AssistanceStatus, EventKind, InspectionStatus, Role
from resolvers.demo.clock import HISTORY_DAYS, later
from resolvers.demo.draws import between, pick, urn, whole
from resolvers.demo.phrases import IN_PLACE, PROBLEMS, SUPPLIES
from resolvers.demo.scene import Night, Scene

REPORTING_SHARE = 0.3  # of the enterprises outside strict rings; inside them, all report
PROBLEM_COUNTS = urn((0, 4), (1, 3), (2, 3))
LONE_CALL_SHARE = 0.05
WITHDRAWN_SHARE = 0.12
VISITED_SHARE = 0.55


@dataclass
class Call:
    """A request that inspectors answered with a visit. `visit` is its status if it is in progress at midnight."""

    request: dict[str, Any]
    at: dt.datetime
    resolution: str
    visit: InspectionStatus | None = None

    def resolve(self, at: dt.datetime) -> None:
        self.request.update(status=AssistanceStatus.RESOLVED, resolved_at=at, resolution=self.resolution, version=3)


def calls(scene: Scene, rng: Random, enterprise: int, strict: bool, night: Night | None) -> list[Call]:
    """Add an enterprise's reports and requests. Returns the requests that need a visit, which the caller adds."""
    answered: list[Call] = []
    if strict or rng.random() < REPORTING_SHARE:
        for _ in range(whole(rng, 1, 2)):
            # More frequent towards midnight, because the event is near.
            at = scene.clock.day(1 + int((HISTORY_DAYS - 1) * rng.random() ** 2), between(rng, 8, 19))
            report = _report(scene, rng, enterprise, at)
            for _ in range(pick(rng, PROBLEM_COUNTS)):
                answered += _past_call(scene, rng, enterprise, report["id"], at)
    if rng.random() < LONE_CALL_SHARE:
        at = scene.clock.day(whole(rng, 1, HISTORY_DAYS), between(rng, 8, 19))
        answered += _past_call(scene, rng, enterprise, None, at)
    if night and night.call:
        answered += _call_tonight(scene, rng, enterprise, night.visit)
    return answered


def _report(scene: Scene, rng: Random, enterprise: int, at: dt.datetime) -> dict[str, Any]:
    report = scene.rows.add(
        models.DutyReport,
        enterprise_id=enterprise,
        at=at,
        measures_in_place=pick(rng, IN_PLACE),
        supplies=pick(rng, SUPPLIES),
        experts_on_standby=whole(rng, 0, 3),
    )
    scene.log.happened(at, EventKind.DUTY_REPORT_SUBMITTED, report, Role.ENTERPRISE)
    return report


def _request(
    scene: Scene, rng: Random, enterprise: int, report: int | None, at: dt.datetime
) -> tuple[dict[str, Any], str]:
    problem, resolution = pick(rng, PROBLEMS)
    request = scene.rows.add(
        models.AssistanceRequest,
        enterprise_id=enterprise,
        duty_report_id=report,
        problem=problem,
        status=AssistanceStatus.OPEN,
        requested_at=at,
        version=1,
    )
    scene.log.step(at, request, None, AssistanceStatus.OPEN)
    return request, resolution


def _past_call(scene: Scene, rng: Random, enterprise: int, report: int | None, at: dt.datetime) -> list[Call]:
    request, resolution = _request(scene, rng, enterprise, report, at)
    if rng.random() < WITHDRAWN_SHARE:
        request.update(status=AssistanceStatus.WITHDRAWN, version=2)
        withdrawn = later(at, 0.25 + request["id"] % 8 / 4)
        scene.log.step(withdrawn, request, AssistanceStatus.OPEN, AssistanceStatus.WITHDRAWN)
        return []
    if rng.random() < VISITED_SHARE:
        return [Call(request, at, resolution)]
    resolved = later(at, between(rng, 0.3, 4.9))
    request.update(status=AssistanceStatus.RESOLVED, resolved_at=resolved, resolution=resolution, version=2)
    scene.log.step(resolved, request, AssistanceStatus.OPEN, AssistanceStatus.RESOLVED)
    return []


def _call_tonight(scene: Scene, rng: Random, enterprise: int, visit: InspectionStatus | None) -> list[Call]:
    at = later(scene.clock.midnight, -between(rng, 1.8, 3))
    report = _report(scene, rng, enterprise, at)
    request, resolution = _request(scene, rng, enterprise, report["id"], at)
    if visit is None:
        return []
    if visit is InspectionStatus.CANCELLED:  # which reopened the request
        request["version"] = 3
    else:
        request.update(status=AssistanceStatus.DISPATCHED, version=2)
    return [Call(request, at, resolution, visit)]
