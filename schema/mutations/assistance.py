"""Mutations of duty reports and requests for help."""

from resolvers.actions import assistance
from schema.fields.mutation import RowId, mutation
from schema.types.assistance import AssistanceRequest, DutyReport
from schema.types.inspection import Inspection

MUTATIONS = (
    mutation(
        "dutyReportSubmit",
        assistance.report_duty,
        "Report on duty; each problem becomes a request for help (值守报告).",
        {
            "enterprise": RowId("Enterprise", "Which enterprise."),
            "measures_in_place": "Which measures are in place.",
            "supplies": "Which supplies are in stock.",
            "experts_on_standby": "How many experts are on standby.",
            "problems": "What it needs help with, at most 50.",
        },
        {"duty_report": DutyReport, "assistance_requests": list[AssistanceRequest]},
        success="DutyReportSubmitted",
        subject=False,
    ),
    mutation(
        "assistanceRequest",
        assistance.request,
        "Ask for help (请求协助).",
        {"enterprise": RowId("Enterprise", "Which enterprise."), "problem": "With what."},
        {"assistance_request": AssistanceRequest},
        success="AssistanceRequested",
        subject=False,
    ),
    mutation(
        "assistanceDispatch",
        assistance.dispatch,
        "Send inspectors to help: it makes an inspection (派员协助).",
        {
            "assistance_request": RowId("AssistanceRequest", "Which request."),
            "inspectors": RowId("Inspector", "Who; without any, the nearest on duty."),
            "count": "How many of the nearest, 1 to 20.",
        },
        {"assistance_request": AssistanceRequest, "inspection": Inspection},
        success="AssistanceDispatched",
    ),
    mutation(
        "assistanceResolve",
        assistance.resolve,
        "The problem is solved (已解决).",
        {"assistance_request": RowId("AssistanceRequest", "Which request."), "resolution": "How."},
        {"assistance_request": AssistanceRequest},
        success="AssistanceResolved",
    ),
    mutation(
        "assistanceWithdraw",
        assistance.withdraw,
        "Take the request back (撤回).",
        {"assistance_request": RowId("AssistanceRequest", "Which request.")},
        {"assistance_request": AssistanceRequest},
        success="AssistanceWithdrawn",
    ),
)
