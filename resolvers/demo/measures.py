"""Control measures (管控措施), three an enterprise on average."""

from random import Random
from typing import Any

import models
from models import EventKind, MeasureKind, Role
from resolvers.demo import people
from resolvers.demo.clock import HISTORY_DAYS, local_date
from resolvers.demo.draws import between, pick, whole
from resolvers.demo.phrases import MEASURES
from resolvers.demo.scene import Scene

KINDS = list(MeasureKind)
LIFTED_SHARE = 0.2


def take_measures(scene: Scene, rng: Random, enterprise: dict[str, Any]) -> None:
    for _ in range(whole(rng, 1, 5)):
        kind = pick(rng, KINDS)
        days_ago = whole(rng, 1, HISTORY_DAYS)
        lifted = scene.clock.day(whole(rng, 1, days_ago), between(rng, 18, 22)) if rng.random() < LIFTED_SHARE else None
        own = rng.random() < 0.6
        measure = scene.rows.add(
            models.ControlMeasure,
            enterprise_id=enterprise["id"],
            kind=kind,
            description=pick(rng, MEASURES[kind]),
            responsible_name=enterprise["safety_name"] if own else people.name(rng),
            responsible_phone=enterprise["safety_phone"] if own else people.phone(rng),
            since=local_date(scene.clock.day(days_ago, 8)),
            lifted_at=lifted,
            version=1 if lifted is None else 2,
        )
        scene.log.happened(scene.clock.day(days_ago, 8), EventKind.CONTROL_MEASURE_ADDED, measure, Role.ENTERPRISE)
        if lifted is not None:
            scene.log.happened(lifted, EventKind.CONTROL_MEASURE_LIFTED, measure, Role.ENTERPRISE)
