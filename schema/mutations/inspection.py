"""Mutations of inspections."""

from resolvers.actions import inspections
from schema.fields.mutation import RowId, mutation
from schema.types.hazard import Hazard
from schema.types.inspection import Inspection

MUTATIONS = (
    mutation(
        "inspectionPlan",
        inspections.plan,
        "Plan an inspection; an inspector for their own round.",
        {
            "enterprise": RowId("Enterprise", "Which enterprise."),
            "kind": "Why. ASSISTANCE is made by assistanceDispatch.",
            "planned_for": "When.",
            "inspectors": RowId("Inspector", "Who, if it is known already."),
            "reinspection_of": RowId("Inspection", "The inspection that a REINSPECTION repeats."),
        },
        {"inspection": Inspection},
        success="InspectionPlanned",
        subject=False,
    ),
    mutation(
        "inspectionDispatch",
        inspections.dispatch,
        "Send inspectors who are on duty (派出).",
        {
            "inspection": RowId("Inspection", "Which inspection."),
            "inspectors": RowId("Inspector", "Who; without any, those who were planned."),
        },
        {"inspection": Inspection},
        success="InspectionDispatched",
    ),
    mutation(
        "inspectionAcknowledge",
        inspections.acknowledge,
        "The inspectors know of it (确认).",
        {"inspection": RowId("Inspection", "Which inspection.")},
        {"inspection": Inspection},
        success="InspectionAcknowledged",
    ),
    mutation(
        "inspectionDepart",
        inspections.depart,
        "The inspectors set out (出发).",
        {"inspection": RowId("Inspection", "Which inspection.")},
        {"inspection": Inspection},
        success="InspectionDeparted",
    ),
    mutation(
        "inspectionArrive",
        inspections.arrive,
        "The inspectors are there (到场).",
        {"inspection": RowId("Inspection", "Which inspection.")},
        {"inspection": Inspection},
        success="InspectionArrived",
    ),
    mutation(
        "inspectionSubmit",
        inspections.submit,
        "Enter the result, with the hazards that were found (提交).",
        {
            "inspection": RowId("Inspection", "Which inspection."),
            "result": "What was found.",
            "summary": "What the inspectors write.",
            "findings": "The hazards, at most 100.",
            "evidence": RowId("Evidence", "What proves it."),
        },
        {"inspection": Inspection, "hazards": list[Hazard]},
        success="InspectionSubmitted",
    ),
    mutation(
        "inspectionReview",
        inspections.review,
        "Begin to look at the result (审核).",
        {"inspection": RowId("Inspection", "Which inspection.")},
        {"inspection": Inspection},
        success="InspectionReviewed",
    ),
    mutation(
        "inspectionReturn",
        inspections.send_back,
        "Send it back to the inspectors (退回).",
        {"inspection": RowId("Inspection", "Which inspection."), "reason": "Why."},
        {"inspection": Inspection},
        success="InspectionReturned",
    ),
    mutation(
        "inspectionClose",
        inspections.close,
        "Close it: every hazard is terminal, or a re-inspection carries it (办结).",
        {"inspection": RowId("Inspection", "Which inspection.")},
        {"inspection": Inspection},
        success="InspectionClosed",
    ),
    mutation(
        "inspectionCancel",
        inspections.cancel,
        "Call it off; a request for help that it served is open again (取消).",
        {"inspection": RowId("Inspection", "Which inspection."), "reason": "Why."},
        {"inspection": Inspection},
        success="InspectionCancelled",
    ),
)
