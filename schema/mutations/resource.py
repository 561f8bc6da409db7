"""Mutations of duty, standby, positions and stock."""

from resolvers.actions import resources
from schema.fields.mutation import RowId, mutation
from schema.types.expert import Expert
from schema.types.inspector import Inspector
from schema.types.team import Team
from schema.types.warehouse import StockItem

MUTATIONS = (
    mutation(
        "inspectorSetDuty",
        resources.set_duty,
        "An inspector goes on or off duty (值勤).",
        {"inspector": RowId("Inspector", "Which inspector."), "on_duty": "Whether on duty from now on."},
        {"inspector": Inspector},
        success="InspectorDutySet",
        subject=False,
    ),
    mutation(
        "inspectorReportPosition",
        resources.report_position,
        "Where an inspector is; only the latest counts, and it leaves no event (位置上报).",
        {"inspector": RowId("Inspector", "Which inspector."), "position": "Where.", "at": "When; now without it."},
        {"inspector": Inspector},
        success="InspectorPositionReported",
        subject=False,
    ),
    mutation(
        "teamSetStandby",
        resources.set_team_standby,
        "A team goes on or off standby (备勤).",
        {"team": RowId("Team", "Which team."), "on_standby": "Whether on standby from now on."},
        {"team": Team},
        success="TeamStandbySet",
    ),
    mutation(
        "expertSetStandby",
        resources.set_expert_standby,
        "An expert goes on or off standby (待命).",
        {"expert": RowId("Expert", "Which expert."), "on_standby": "Whether on standby from now on."},
        {"expert": Expert},
        success="ExpertStandbySet",
    ),
    mutation(
        "stockReceive",
        resources.receive_stock,
        "Stock comes in (入库).",
        {"stock_item": RowId("StockItem", "Which item."), "quantity": "How many units, at least 1."},
        {"stock_item": StockItem},
        success="StockReceived",
    ),
)
