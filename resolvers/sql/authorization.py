"""Which rows a viewer may have, one line a table. Every statement that reads rows asks here.

Roles see every row but for three limits: an enterprise has only what is its own, a program without the scope `read`
has nothing, and some tables are personal data as a whole. Which fields of a row are personal data is declared with the
field, in the schema.
"""

from typing import Any

import models
from models.db.tables import table_of
from models.visibility import PERSONAL_DATA, Right, Role, Scope, Visibility
from resolvers.sql.predicates import AnyOf, Condition, Equal, IsTrue, Nothing, Predicate, Within

NOTHING = Nothing()
EVERYTHING = None  # the district's geography and its warnings are there for everyone


def _dispatched(resource: Any, key: Any) -> Predicate:
    """The resource was dispatched to the enterprise."""
    return Within(resource, key, Equal(models.Dispatch.enterprise_id))


def _of_hazard(key: Any) -> Predicate:
    return Within(key, models.Hazard.id, Equal(models.Hazard.enterprise_id))


def _of_inspection(key: Any) -> Predicate:
    return Within(key, models.Inspection.id, Equal(models.Inspection.enterprise_id))


# What makes a row an enterprise's own; the clause's value is the enterprise's key.
OWNERSHIP: dict[Any, Predicate | None] = {
    models.District: EVERYTHING,
    models.CommandUnit: NOTHING,
    models.Zone: EVERYTHING,
    models.Town: EVERYTHING,
    models.Venue: EVERYTHING,
    models.ControlRing: EVERYTHING,
    models.Warning: EVERYTHING,
    models.Enterprise: Equal(models.Enterprise.id),
    models.ControlMeasure: Equal(models.ControlMeasure.enterprise_id),
    models.Camera: Equal(models.Camera.enterprise_id),
    models.Hazard: Equal(models.Hazard.enterprise_id),
    models.DeadlineExtension: _of_hazard(models.DeadlineExtension.hazard_id),
    models.Inspection: Equal(models.Inspection.enterprise_id),
    models.Case: Equal(models.Case.enterprise_id),
    models.Evidence: AnyOf(
        Within(models.Evidence.id, models.HazardEvidence.evidence_id, _of_hazard(models.HazardEvidence.hazard_id)),
        Within(
            models.Evidence.id,
            models.InspectionEvidence.evidence_id,
            _of_inspection(models.InspectionEvidence.inspection_id),
        ),
    ),
    models.Inspector: Within(
        models.Inspector.id,
        models.InspectionInspector.inspector_id,
        _of_inspection(models.InspectionInspector.inspection_id),
    ),
    models.Expert: _dispatched(models.Expert.id, models.Dispatch.expert_id),
    models.Team: _dispatched(models.Team.id, models.Dispatch.team_id),
    models.StockItem: _dispatched(models.StockItem.id, models.Dispatch.stock_item_id),
    models.Warehouse: Within(
        models.Warehouse.id,
        models.StockItem.warehouse_id,
        _dispatched(models.StockItem.id, models.Dispatch.stock_item_id),
    ),
    models.Dispatch: Equal(models.Dispatch.enterprise_id),
    models.DutyReport: Equal(models.DutyReport.enterprise_id),
    models.AssistanceRequest: Equal(models.AssistanceRequest.enterprise_id),
    models.Event: Equal(models.Event.enterprise_id),
}

# Tables that nobody sees without a right.
REQUIRED_RIGHTS: dict[Any, Right] = {models.Evidence: PERSONAL_DATA}

# Rows that nobody sees unless this holds: what was uploaded and is attached to nothing yet is not in the graph.
PUBLISHED: dict[Any, Predicate] = {models.Evidence: IsTrue(models.Evidence.attached)}


def may_read(visibility: Visibility) -> bool:
    """Whether the viewer may read at all. A program that may not sees the rows that it writes, and nothing else."""
    return visibility.role is not Role.INTEGRATOR or Scope.READ in visibility.scopes


def may_filter_by(clause: Predicate, visibility: Visibility) -> bool:
    """Whether the rows that decide a filter are the viewer's to see.

    What belongs to an enterprise goes with it, and so do links. Of other tables that it has only some rows of, those of
    others must not decide.
    """
    if visibility.role is not Role.ENTERPRISE:
        return True
    limits = {table_of(row): own for row, own in OWNERSHIP.items()}
    return all(isinstance(limits.get(table), Equal | None) for table in clause.tables())


def scope(row: Any, visibility: Visibility) -> list[Condition]:
    """The conditions that limit a table to what this viewer may have. KeyError for a table not named above."""
    own = OWNERSHIP[row]
    if not visibility.allows(REQUIRED_RIGHTS.get(row)):
        return [Condition(NOTHING)]
    if not may_read(visibility):
        return [Condition(NOTHING)]
    limits = [Condition(PUBLISHED[row])] if row in PUBLISHED else []
    if visibility.role is not Role.ENTERPRISE or own is None:
        return limits
    return [*limits, Condition(own, visibility.enterprise)]
