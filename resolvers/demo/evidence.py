"""Evidence: hashes of photographs and papers that do not exist."""

import datetime as dt
import hashlib
from random import Random

import models
from resolvers.demo.clock import later
from resolvers.demo.draws import between, pick, urn, whole
from resolvers.demo.scene import Scene

MEDIA_TYPES = urn(("image/jpeg", 8), ("image/png", 1), ("application/pdf", 1))


def of_hazard(scene: Scene, rng: Random, hazard: int, by: dt.datetime) -> None:
    evidence = _evidence(scene, rng, by)
    scene.rows.add(models.HazardEvidence, hazard_id=hazard, evidence_id=evidence)


def of_inspection(scene: Scene, rng: Random, inspection: int, by: dt.datetime) -> None:
    evidence = _evidence(scene, rng, by)
    scene.rows.add(models.InspectionEvidence, inspection_id=inspection, evidence_id=evidence)


def _evidence(scene: Scene, rng: Random, by: dt.datetime) -> int:
    evidence = scene.rows.add(
        models.Evidence,
        media_type=pick(rng, MEDIA_TYPES),
        bytes=whole(rng, 40_000, 4_000_000),
        taken_at=later(by, -between(rng, 0.02, 0.4)),
    )
    evidence["sha256"] = hashlib.sha256(f"huhang demo evidence {evidence['id']}".encode()).hexdigest()
    key: int = evidence["id"]
    return key
