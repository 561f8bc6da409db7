"""Mutations of cases."""

from resolvers.actions import cases
from schema.fields.mutation import RowId, mutation
from schema.types.case import Case

MUTATIONS = (
    mutation(
        "casePropose",
        cases.propose,
        "Propose a case on a submitted inspection (拟立案).",
        {"inspection": RowId("Inspection", "Which inspection."), "grounds": "Why."},
        {"case": Case},
        success="CaseProposed",
        subject=False,
    ),
    mutation(
        "caseFile",
        cases.file,
        "File it (立案).",
        {"case": RowId("Case", "Which case."), "number": "Its number in the files; without one, it gets one."},
        {"case": Case},
        success="CaseFiled",
    ),
    mutation(
        "caseDecline",
        cases.decline,
        "Do not file it (不予立案).",
        {"case": RowId("Case", "Which case."), "reason": "Why."},
        {"case": Case},
        success="CaseDeclined",
    ),
    mutation(
        "caseInvestigate",
        cases.advance,
        "Begin to investigate (调查取证).",
        {"case": RowId("Case", "Which case.")},
        {"case": Case},
        success="CaseInvestigated",
    ),
    mutation(
        "caseNotify",
        cases.advance,
        "Notify the enterprise (告知).",
        {"case": RowId("Case", "Which case.")},
        {"case": Case},
        success="CaseNotified",
    ),
    mutation(
        "caseHear",
        cases.advance,
        "Begin a hearing (听证).",
        {"case": RowId("Case", "Which case.")},
        {"case": Case},
        success="CaseHeard",
    ),
    mutation(
        "caseDecide",
        cases.decide,
        "Decide it, with a penalty or without (处罚决定).",
        {
            "case": RowId("Case", "Which case."),
            "outcome": "DECIDED with a penalty, or NO_PENALTY, TRANSFERRED or WITHDRAWN.",
            "penalty": "The penalty, with DECIDED.",
        },
        {"case": Case},
        success="CaseDecided",
    ),
    mutation(
        "caseExecute",
        cases.advance,
        "Begin to execute the penalty (执行).",
        {"case": RowId("Case", "Which case.")},
        {"case": Case},
        success="CaseExecuted",
    ),
    mutation(
        "caseClose",
        cases.close,
        "Close it (结案).",
        {"case": RowId("Case", "Which case.")},
        {"case": Case},
        success="CaseClosed",
    ),
)
