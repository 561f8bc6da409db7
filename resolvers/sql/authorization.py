"""The rows that a viewer may see, one line a table. Every statement that reads rows applies them.

Every role sees every row, with three exceptions: an enterprise sees only its own rows, and of those none that would
tell it beforehand that inspectors come (models/notice.py); a program without the scope `read` sees none; and some
tables are personal data as a whole. The schema declares which fields are personal data.
"""

from typing import Any

import models
from models.db.tables import table_of
from models.notice import ARRIVED, FILED
from models.visibility import COMMAND, INTERNALS, PERSONAL_DATA, Right, Role, Scope, Visibility
from resolvers.sql.predicates import AllOf, AnyOf, Condition, Equal, IsTrue, Not, Nothing, OneOf, Predicate, Within

NOTHING = Nothing()
EVERYTHING = None  # the district's geography and its warnings are visible to everyone


def _dispatched(resource: Any, key: Any) -> Predicate:
    """The resource in this row was dispatched to the enterprise."""
    return Within(resource, key, Equal(models.Dispatch.enterprise_id))


def _of_hazard(key: Any) -> Predicate:
    return Within(key, models.Hazard.id, Equal(models.Hazard.enterprise_id))


# The same as models.notice.is_internal, in SQL.
INSPECTIONS = AllOf(
    Equal(models.Inspection.enterprise_id),
    AnyOf(OneOf(models.Inspection.status, ARRIVED), IsTrue(models.Inspection.announced)),
)


def _of_inspection(key: Any) -> Predicate:
    return Within(key, models.Inspection.id, INSPECTIONS)


# The predicate for an enterprise's own rows. Its value is the enterprise's key.
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
    models.Inspection: INSPECTIONS,
    models.Case: AllOf(Equal(models.Case.enterprise_id), OneOf(models.Case.status, FILED)),
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
    models.Handover: NOTHING,
    models.Event: AllOf(Equal(models.Event.enterprise_id), Not(IsTrue(models.Event.internal))),
}

# Tables whose rows need a right to be seen.
REQUIRED_RIGHTS: dict[Any, Right] = {models.Evidence: PERSONAL_DATA, models.Handover: COMMAND}

# Tables of which nobody sees the rows that do not meet a predicate: evidence is in the graph once it is attached.
PUBLISHED: dict[Any, Predicate] = {models.Evidence: IsTrue(models.Evidence.attached)}


def may_read(visibility: Visibility) -> bool:
    """Whether the viewer may read at all. A program that may not still sees the rows that its own mutations write."""
    return visibility.role is not Role.INTEGRATOR or Scope.READ in visibility.scopes


def place_conditions(model: Any, visibility: Visibility) -> list[Condition]:
    """The conditions for the rows of a model whose place the viewer may see.

    The places of inspectors are internal: a distance to them tells an enterprise that they are on their way.
    """
    if model is models.Inspector and not visibility.allows(INTERNALS):
        return [Condition(NOTHING)]
    return row_conditions(model, visibility)


def may_filter_by(predicate: Predicate, visibility: Visibility) -> bool:
    """Whether all rows that decide the predicate are visible to the viewer.

    For an enterprise, rows of tables with the enterprise's key belong to it like the row that they are joined to, and
    link tables do too. Of other tables it sees only some rows, and the rest must not decide a filter.
    """
    if visibility.role is not Role.ENTERPRISE:
        return True
    ownership = {table_of(model): own for model, own in OWNERSHIP.items()}
    return all(isinstance(ownership.get(table), Equal | None) for table in predicate.tables())


def row_conditions(model: Any, visibility: Visibility) -> list[Condition]:
    """The conditions for the rows of a model that the viewer may see. Raises KeyError for a model not listed above."""
    own = OWNERSHIP[model]
    if not visibility.allows(REQUIRED_RIGHTS.get(model)):
        return [Condition(NOTHING)]
    if not may_read(visibility):
        return [Condition(NOTHING)]
    conditions = [Condition(PUBLISHED[model])] if model in PUBLISHED else []
    if visibility.role is not Role.ENTERPRISE or own is None:
        return conditions
    return [*conditions, Condition(own, visibility.enterprise)]
