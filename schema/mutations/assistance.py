"""Mutations of duty reports and requests for help."""

from resolvers.actions import assistance
from resolvers.actions.assistance import INSPECTORS_MAXIMUM, PROBLEMS_MAXIMUM
from resolvers.actions.inputs import TEXT_MAXIMUM
from schema.fields.directives import Argument, Limits
from schema.fields.mutation import RowId, mutation
from schema.types.assistance import AssistanceRequest, DutyReport, InspectorLeftOut
from schema.types.inspection import Inspection

MUTATIONS = (
    mutation(
        "dutyReportSubmit",
        assistance.report_duty,
        "Submit a duty report; each problem becomes a request for help (值守报告).",
        {
            "enterprise": RowId("Enterprise", "The enterprise."),
            "measures_in_place": "Measures in place.",
            "supplies": "Supplies in stock.",
            "experts_on_standby": Argument("Number of experts on standby, 0 or more.", [Limits(min=0)]),
            "problems": Argument(
                "Problems to be helped with, at most 50.", [Limits(max_items=PROBLEMS_MAXIMUM, max_length=TEXT_MAXIMUM)]
            ),
        },
        {"duty_report": DutyReport, "assistance_requests": list[AssistanceRequest]},
        success="DutyReportSubmitted",
        subject=False,
    ),
    mutation(
        "assistanceRequest",
        assistance.request,
        "Request help (请求协助).",
        {"enterprise": RowId("Enterprise", "The enterprise."), "problem": "The problem."},
        {"assistance_request": AssistanceRequest},
        success="AssistanceRequested",
        subject=False,
    ),
    mutation(
        "assistanceDispatch",
        assistance.dispatch,
        "Dispatch inspectors to help, by a new inspection (派员协助).",
        {
            "assistance_request": RowId("AssistanceRequest", "The request for help."),
            "inspectors": RowId("Inspector", "The inspectors; by default the nearest on duty, by recent positions."),
            "count": Argument(
                "Number of the nearest inspectors, 1 to 20; fewer are sent where fewer have a recent position.",
                [Limits(min=1, max=INSPECTORS_MAXIMUM)],
            ),
        },
        {"assistance_request": AssistanceRequest, "inspection": Inspection, "left_out": list[InspectorLeftOut]},
        success="AssistanceDispatched",
    ),
    mutation(
        "assistanceResolve",
        assistance.resolve,
        "Record that the problem is solved (已解决).",
        {
            "assistance_request": RowId("AssistanceRequest", "The request for help."),
            "resolution": "How the problem was solved.",
        },
        {"assistance_request": AssistanceRequest},
        success="AssistanceResolved",
    ),
    mutation(
        "assistanceWithdraw",
        assistance.withdraw,
        "Withdraw the request (撤回).",
        {"assistance_request": RowId("AssistanceRequest", "The request for help.")},
        {"assistance_request": AssistanceRequest},
        success="AssistanceWithdrawn",
    ),
)
