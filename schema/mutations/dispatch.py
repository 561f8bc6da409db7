"""Mutations of dispatches."""

from resolvers.actions import dispatches
from schema.fields.mutation import RowId, mutation
from schema.types.dispatch import Dispatch
from schema.types.errors import StockExhausted

MUTATIONS = (
    mutation(
        "dispatchRequest",
        dispatches.request,
        "Ask for something at a place (请求调度).",
        {
            "purpose": "What for.",
            "to": "Where to; without it, where the enterprise or else the venue is.",
            "enterprise": RowId("Enterprise", "The enterprise it is for."),
            "venue": RowId("Venue", "The venue it is for."),
        },
        {"dispatch": Dispatch},
        success="DispatchRequested",
        subject=False,
    ),
    mutation(
        "dispatchAssign",
        dispatches.assign,
        "Choose a team, an expert, or a quantity of a stock item, which is reserved (指派).",
        {
            "dispatch": RowId("Dispatch", "Which dispatch."),
            "team": RowId("Team", "A team on standby."),
            "expert": RowId("Expert", "An expert on standby."),
            "stock_item": RowId("StockItem", "A stock item."),
            "quantity": "How many units of the stock item, at least 1.",
        },
        {"dispatch": Dispatch},
        success="DispatchAssigned",
        problems=(StockExhausted,),
    ),
    mutation(
        "dispatchAcknowledge",
        dispatches.advance,
        "Whoever is sent knows of it (确认).",
        {"dispatch": RowId("Dispatch", "Which dispatch.")},
        {"dispatch": Dispatch},
        success="DispatchAcknowledged",
    ),
    mutation(
        "dispatchDepart",
        dispatches.advance,
        "They set out (出发).",
        {"dispatch": RowId("Dispatch", "Which dispatch.")},
        {"dispatch": Dispatch},
        success="DispatchDeparted",
    ),
    mutation(
        "dispatchArrive",
        dispatches.arrive,
        "They are there (到场).",
        {"dispatch": RowId("Dispatch", "Which dispatch.")},
        {"dispatch": Dispatch},
        success="DispatchArrived",
    ),
    mutation(
        "dispatchComplete",
        dispatches.complete,
        "The work is done; what was used of the stock is drawn (完成).",
        {"dispatch": RowId("Dispatch", "Which dispatch."), "drawn": "How many units were used; for stock."},
        {"dispatch": Dispatch},
        success="DispatchCompleted",
    ),
    mutation(
        "dispatchRelease",
        dispatches.release,
        "They are free again, and so is the stock that was not used (释放).",
        {"dispatch": RowId("Dispatch", "Which dispatch.")},
        {"dispatch": Dispatch},
        success="DispatchReleased",
    ),
    mutation(
        "dispatchDecline",
        dispatches.call_off,
        "Whoever was chosen cannot come (谢绝).",
        {"dispatch": RowId("Dispatch", "Which dispatch."), "reason": "Why."},
        {"dispatch": Dispatch},
        success="DispatchDeclined",
    ),
    mutation(
        "dispatchCancel",
        dispatches.call_off,
        "Call it off (取消).",
        {"dispatch": RowId("Dispatch", "Which dispatch."), "reason": "Why."},
        {"dispatch": Dispatch},
        success="DispatchCancelled",
    ),
)
