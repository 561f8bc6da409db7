"""Mutations of inspections."""

from models import InspectionKind
from resolvers.actions import inspections
from resolvers.actions.inspections import FINDINGS_MAXIMUM
from schema.fields.directives import Argument, Limits
from schema.fields.mutation import RowId, mutation
from schema.types.hazard import Hazard
from schema.types.inspection import Inspection

PLANNED = [kind.name for kind in InspectionKind if kind is not InspectionKind.ASSISTANCE]

MUTATIONS = (
    mutation(
        "inspectionPlan",
        inspections.plan,
        "Plan an inspection; inspectors can plan for themselves only.",
        {
            "enterprise": RowId("Enterprise", "The enterprise."),
            "kind": Argument("Reason for it; ASSISTANCE is reserved for assistanceDispatch.", [Limits(among=PLANNED)]),
            "planned_for": "Time planned.",
            "inspectors": RowId("Inspector", "The inspectors, if known."),
            "reinspection_of": RowId("Inspection", "The inspection that a REINSPECTION repeats."),
        },
        {"inspection": Inspection},
        success="InspectionPlanned",
        subject=False,
    ),
    mutation(
        "inspectionDispatch",
        inspections.dispatch,
        "Dispatch inspectors who are on duty (派出).",
        {
            "inspection": RowId("Inspection", "The inspection."),
            "inspectors": RowId("Inspector", "The inspectors; by default those planned."),
        },
        {"inspection": Inspection},
        success="InspectionDispatched",
    ),
    mutation(
        "inspectionAcknowledge",
        inspections.acknowledge,
        "Record that the inspectors have acknowledged the inspection (确认).",
        {"inspection": RowId("Inspection", "The inspection.")},
        {"inspection": Inspection},
        success="InspectionAcknowledged",
    ),
    mutation(
        "inspectionDepart",
        inspections.depart,
        "Record that the inspectors have set out (出发).",
        {"inspection": RowId("Inspection", "The inspection.")},
        {"inspection": Inspection},
        success="InspectionDeparted",
    ),
    mutation(
        "inspectionArrive",
        inspections.arrive,
        "Record that the inspectors have arrived (到场).",
        {"inspection": RowId("Inspection", "The inspection.")},
        {"inspection": Inspection},
        success="InspectionArrived",
    ),
    mutation(
        "inspectionSubmit",
        inspections.submit,
        "Submit the result, with the hazards found (提交).",
        {
            "inspection": RowId("Inspection", "The inspection."),
            "result": "The result.",
            "summary": "Summary by the inspectors.",
            "findings": Argument("The hazards found, at most 100.", [Limits(max_items=FINDINGS_MAXIMUM)]),
            "evidence": RowId("Evidence", "Evidence of it."),
        },
        {"inspection": Inspection, "hazards": list[Hazard]},
        success="InspectionSubmitted",
    ),
    mutation(
        "inspectionReview",
        inspections.review,
        "Begin to review the result (审核).",
        {"inspection": RowId("Inspection", "The inspection.")},
        {"inspection": Inspection},
        success="InspectionReviewed",
    ),
    mutation(
        "inspectionReturn",
        inspections.send_back,
        "Return the result to the inspectors (退回).",
        {"inspection": RowId("Inspection", "The inspection."), "reason": "Reason."},
        {"inspection": Inspection},
        success="InspectionReturned",
    ),
    mutation(
        "inspectionClose",
        inspections.close,
        "Close an inspection; open hazards need a re-inspection (办结).",
        {"inspection": RowId("Inspection", "The inspection.")},
        {"inspection": Inspection},
        success="InspectionClosed",
    ),
    mutation(
        "inspectionCancel",
        inspections.cancel,
        "Cancel an inspection; a request for help that it served is open again (取消).",
        {"inspection": RowId("Inspection", "The inspection."), "reason": "Reason."},
        {"inspection": Inspection},
        success="InspectionCancelled",
    ),
)
