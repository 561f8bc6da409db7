"""Mutations of hazards."""

from resolvers.actions import hazards
from schema.fields.mutation import RowId, mutation
from schema.types.hazard import Hazard

MUTATIONS = (
    mutation(
        "hazardReport",
        hazards.report,
        "Report a hazard outside an inspection; an enterprise's own report is reviewed first (上报).",
        {
            "enterprise": RowId("Enterprise", "The enterprise."),
            "level": "Level of the hazard.",
            "description": "Description of what was found.",
            "category": "Category of the hazard.",
            "deadline": "Deadline for the rectification; in the future.",
            "evidence": RowId("Evidence", "Evidence of it."),
        },
        {"hazard": Hazard},
        success="HazardReported",
        subject=False,
    ),
    mutation(
        "hazardAssign",
        hazards.assign,
        "Assign a hazard to an owner, with a deadline (交办).",
        {
            "hazard": RowId("Hazard", "The hazard."),
            "owner": "Person in charge of the rectification.",
            "deadline": "Deadline; in the future.",
        },
        {"hazard": Hazard},
        success="HazardAssigned",
    ),
    mutation(
        "hazardStartRectifying",
        hazards.start_rectifying,
        "Begin the rectification; a major hazard needs all five fixes (开始整改).",
        {"hazard": RowId("Hazard", "The hazard."), "five_fix": "The five fixes (五落实)."},
        {"hazard": Hazard},
        success="HazardRectifyingStarted",
    ),
    mutation(
        "hazardSubmitRectification",
        hazards.submit_rectification,
        "Submit the rectification, with evidence or a statement (提交整改).",
        {
            "hazard": RowId("Hazard", "The hazard."),
            "statement": "Statement of what was done.",
            "evidence": RowId("Evidence", "Evidence of it."),
        },
        {"hazard": Hazard},
        success="HazardRectificationSubmitted",
    ),
    mutation(
        "hazardAccept",
        hazards.accept,
        "Accept the rectification (验收通过).",
        {"hazard": RowId("Hazard", "The hazard.")},
        {"hazard": Hazard},
        success="HazardAccepted",
    ),
    mutation(
        "hazardReject",
        hazards.send_back,
        "Reject the rectification (验收不通过).",
        {"hazard": RowId("Hazard", "The hazard."), "reason": "Reason."},
        {"hazard": Hazard},
        success="HazardRejected",
    ),
    mutation(
        "hazardClose",
        hazards.close,
        "Close a hazard (销号).",
        {"hazard": RowId("Hazard", "The hazard.")},
        {"hazard": Hazard},
        success="HazardClosed",
    ),
    mutation(
        "hazardReopen",
        hazards.send_back,
        "Reopen an accepted hazard (重新整改).",
        {"hazard": RowId("Hazard", "The hazard."), "reason": "Reason."},
        {"hazard": Hazard},
        success="HazardReopened",
    ),
    mutation(
        "hazardDismiss",
        hazards.dismiss,
        "Dismiss a report that is no hazard (不予认定).",
        {"hazard": RowId("Hazard", "The hazard."), "reason": "Reason."},
        {"hazard": Hazard},
        success="HazardDismissed",
    ),
    mutation(
        "hazardRequestExtension",
        hazards.request_extension,
        "Request a later deadline (申请延期).",
        {
            "hazard": RowId("Hazard", "The hazard."),
            "to": "New deadline; after the deadline in force.",
            "reason": "Reason.",
        },
        {"hazard": Hazard},
        success="HazardExtensionRequested",
    ),
    mutation(
        "hazardDecideExtension",
        hazards.decide_extension,
        "Decide on a later deadline (延期审批).",
        {"hazard": RowId("Hazard", "The hazard."), "approve": "Whether to approve the new deadline."},
        {"hazard": Hazard},
        success="HazardExtensionDecided",
    ),
)
