"""Mutations of the register."""

from resolvers.actions import enterprises
from schema.fields.mutation import RowId, mutation
from schema.types.enterprise import Enterprise
from schema.types.measure import ControlMeasure

MUTATIONS = (
    mutation(
        "enterpriseUpsert",
        enterprises.upsert,
        "Register an enterprise, or change what is given of it; null clears (登记).",
        {
            "credit_code": "Unified social credit code; it or the external id is needed.",
            "external_id": "Key in another register.",
            "name": "Registered name; needed for a new one.",
            "address": "Street address.",
            "location": "Where it is; it puts it into zone, town and rings.",
            "industry": "Industry.",
            "hazardous_chemicals": "Whether it handles hazardous chemicals.",
            "major_hazard_level": "Level of its major hazard installation, 1 to 4.",
            "legal_representative": "Legal representative.",
            "safety_contact": "Who answers for safety.",
        },
        {"enterprise": Enterprise},
        success="EnterpriseUpserted",
    ),
    mutation(
        "enterpriseGrade",
        enterprises.grade,
        "Grade its risk (风险分级).",
        {"enterprise": RowId("Enterprise", "Which enterprise."), "risk_grade": "The grade."},
        {"enterprise": Enterprise},
        success="EnterpriseGraded",
    ),
    mutation(
        "controlMeasureAdd",
        enterprises.add_measure,
        "Add a control measure (增加管控措施).",
        {
            "enterprise": RowId("Enterprise", "Which enterprise."),
            "kind": "What kind.",
            "description": "What is done.",
            "responsible": "Who answers for it.",
            "since": "First day in force; today without it.",
        },
        {"control_measure": ControlMeasure},
        success="ControlMeasureAdded",
        subject=False,
    ),
    mutation(
        "controlMeasureLift",
        enterprises.lift_measure,
        "Lift a control measure (解除管控措施).",
        {"control_measure": RowId("ControlMeasure", "Which measure.")},
        {"control_measure": ControlMeasure},
        success="ControlMeasureLifted",
    ),
)
