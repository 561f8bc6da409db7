"""Mutations of enterprises and their control measures."""

from resolvers.actions import enterprises
from resolvers.actions.inputs import NAME_MAXIMUM
from schema.fields.bulk_mutation import bulk_mutation
from schema.fields.directives import Argument, Limits
from schema.fields.mutation import RowId, mutation
from schema.types.enterprise import Enterprise
from schema.types.measure import ControlMeasure

UPSERT = mutation(
    "enterpriseUpsert",
    enterprises.upsert,
    "Register an enterprise, or change the fields given; null clears a field (登记). A retired one is restored.",
    {
        "credit_code": "Unified social credit code; required without an external id.",
        "external_id": Argument(
            "Key in another register; required without a credit code.", [Limits(max_length=NAME_MAXIMUM)]
        ),
        "name": Argument("Registered name; required for a new enterprise.", [Limits(max_length=NAME_MAXIMUM)]),
        "address": "Street address.",
        "location": "Location; determines zone, town and rings.",
        "industry": "Industry.",
        "hazardous_chemicals": "Whether it handles hazardous chemicals.",
        "major_hazard_level": Argument("Level of its major hazard installation, 1 to 4.", [Limits(min=1, max=4)]),
        "legal_representative": "Legal representative.",
        "safety_contact": "Person responsible for safety.",
    },
    {"enterprise": Enterprise | None},
    success="EnterpriseUpserted",
)
MUTATIONS = (
    UPSERT,
    bulk_mutation(
        "enterprisesUpsert",
        UPSERT,
        "Register or change up to 1,000 enterprises, each as enterpriseUpsert does (批量登记).",
        success="EnterprisesUpserted",
    ),
    mutation(
        "enterpriseGrade",
        enterprises.grade,
        "Grade an enterprise's risk (风险分级).",
        {"enterprise": RowId("Enterprise", "The enterprise."), "risk_grade": "The risk grade."},
        {"enterprise": Enterprise},
        success="EnterpriseGraded",
    ),
    mutation(
        "controlMeasureAdd",
        enterprises.add_measure,
        "Add a control measure (增加管控措施).",
        {
            "enterprise": RowId("Enterprise", "The enterprise."),
            "kind": "Kind of the measure.",
            "description": "Description of the measure.",
            "responsible": "Responsible person.",
            "since": "First day in force; by default today.",
        },
        {"control_measure": ControlMeasure},
        success="ControlMeasureAdded",
        subject=False,
    ),
    mutation(
        "controlMeasureLift",
        enterprises.lift_measure,
        "Lift a control measure (解除管控措施).",
        {"control_measure": RowId("ControlMeasure", "The control measure.")},
        {"control_measure": ControlMeasure},
        success="ControlMeasureLifted",
    ),
)
