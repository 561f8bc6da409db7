"""Mutations of duty, standby, positions and stock."""

from resolvers.actions import resources
from schema.fields.bulk_mutation import bulk_mutation
from schema.fields.directives import Argument, Limits
from schema.fields.mutation import RowId, mutation
from schema.types.expert import Expert
from schema.types.inspector import Inspector
from schema.types.team import Team
from schema.types.warehouse import StockItem

REPORT = mutation(
    "inspectorReportPosition",
    resources.report_positions,
    "Report an inspector's position; only the latest is stored, and no event is logged (位置上报).",
    {
        "inspector": RowId("Inspector", "The inspector."),
        "position": "The position.",
        "at": "Time of the position; by default now.",
    },
    {"inspector": Inspector | None},
    success="InspectorPositionReported",
    subject=False,
)
MUTATIONS = (
    mutation(
        "inspectorSetDuty",
        resources.set_duty,
        "Put an inspector on or off duty (值勤).",
        {"inspector": RowId("Inspector", "The inspector."), "on_duty": "Whether on duty."},
        {"inspector": Inspector | None},
        success="InspectorDutySet",
        subject=False,
    ),
    REPORT,
    bulk_mutation(
        "positionsReport",
        REPORT,
        "Report up to 1,000 positions of inspectors, each as inspectorReportPosition does (批量位置上报).",
        success="PositionsReported",
    ),
    mutation(
        "teamSetStandby",
        resources.set_team_standby,
        "Put a team on or off standby (备勤).",
        {"team": RowId("Team", "The team."), "on_standby": "Whether on standby."},
        {"team": Team},
        success="TeamStandbySet",
    ),
    mutation(
        "expertSetStandby",
        resources.set_expert_standby,
        "Put an expert on or off standby (待命).",
        {"expert": RowId("Expert", "The expert."), "on_standby": "Whether on standby."},
        {"expert": Expert},
        success="ExpertStandbySet",
    ),
    mutation(
        "stockReceive",
        resources.receive_stock,
        "Receive stock (入库).",
        {
            "stock_item": RowId("StockItem", "The stock item."),
            "quantity": Argument("Units received, at least 1.", [Limits(min=1)]),
        },
        {"stock_item": StockItem},
        success="StockReceived",
    ),
)
