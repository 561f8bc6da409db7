"""Mutations of hazards."""

from resolvers.actions import hazards
from schema.fields.mutation import RowId, mutation
from schema.types.hazard import Hazard

MUTATIONS = (
    mutation(
        "hazardReport",
        hazards.report,
        "Report a hazard outside an inspection; what an enterprise reports of itself is reviewed first (上报).",
        {
            "enterprise": RowId("Enterprise", "Which enterprise."),
            "level": "How grave it is.",
            "description": "What was found.",
            "category": "What kind of danger.",
            "deadline": "Until when it is to be rectified; in the future.",
            "evidence": RowId("Evidence", "What proves it."),
        },
        {"hazard": Hazard},
        success="HazardReported",
        subject=False,
    ),
    mutation(
        "hazardAssign",
        hazards.assign,
        "Give it an owner and a deadline (交办).",
        {
            "hazard": RowId("Hazard", "Which hazard."),
            "owner": "Who rectifies it.",
            "deadline": "Until when; in the future.",
        },
        {"hazard": Hazard},
        success="HazardAssigned",
    ),
    mutation(
        "hazardStartRectifying",
        hazards.start_rectifying,
        "Begin to rectify it; a major one needs all five fixes (开始整改).",
        {"hazard": RowId("Hazard", "Which hazard."), "five_fix": "The five fixes (五落实)."},
        {"hazard": Hazard},
        success="HazardRectifyingStarted",
    ),
    mutation(
        "hazardSubmitRectification",
        hazards.submit_rectification,
        "Submit the rectification, with evidence or a statement (提交整改).",
        {
            "hazard": RowId("Hazard", "Which hazard."),
            "statement": "What was done.",
            "evidence": RowId("Evidence", "What proves it."),
        },
        {"hazard": Hazard},
        success="HazardRectificationSubmitted",
    ),
    mutation(
        "hazardAccept",
        hazards.accept,
        "Accept the rectification (验收通过).",
        {"hazard": RowId("Hazard", "Which hazard.")},
        {"hazard": Hazard},
        success="HazardAccepted",
    ),
    mutation(
        "hazardReject",
        hazards.send_back,
        "Send the rectification back (验收不通过).",
        {"hazard": RowId("Hazard", "Which hazard."), "reason": "Why."},
        {"hazard": Hazard},
        success="HazardRejected",
    ),
    mutation(
        "hazardClose",
        hazards.close,
        "Strike it from the list (销号).",
        {"hazard": RowId("Hazard", "Which hazard.")},
        {"hazard": Hazard},
        success="HazardClosed",
    ),
    mutation(
        "hazardReopen",
        hazards.send_back,
        "Open an accepted one again (重新整改).",
        {"hazard": RowId("Hazard", "Which hazard."), "reason": "Why."},
        {"hazard": Hazard},
        success="HazardReopened",
    ),
    mutation(
        "hazardDismiss",
        hazards.dismiss,
        "It was no hazard (不予认定).",
        {"hazard": RowId("Hazard", "Which hazard."), "reason": "Why."},
        {"hazard": Hazard},
        success="HazardDismissed",
    ),
    mutation(
        "hazardRequestExtension",
        hazards.request_extension,
        "Ask for a later deadline (申请延期).",
        {
            "hazard": RowId("Hazard", "Which hazard."),
            "to": "Until when; after the deadline in force.",
            "reason": "Why.",
        },
        {"hazard": Hazard},
        success="HazardExtensionRequested",
    ),
    mutation(
        "hazardDecideExtension",
        hazards.decide_extension,
        "Decide on a later deadline (延期审批).",
        {"hazard": RowId("Hazard", "Which hazard."), "approve": "Whether the new deadline comes into force."},
        {"hazard": Hazard},
        success="HazardExtensionDecided",
    ),
)
