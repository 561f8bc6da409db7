"""Mutations of dispatches."""

from resolvers.actions import dispatches
from schema.fields.directives import Argument, Limits
from schema.fields.mutation import RowId, mutation
from schema.types.dispatch import Dispatch
from schema.types.errors import StockExhausted

MUTATIONS = (
    mutation(
        "dispatchRequest",
        dispatches.request,
        "Request a dispatch to a place (请求调度). With a resource it is assigned at once, or nothing is done.",
        {
            "purpose": "Purpose.",
            "to": "Destination; by default the location of the enterprise, or else of the venue.",
            "enterprise": RowId("Enterprise", "The enterprise that it is for."),
            "venue": RowId("Venue", "The venue that it is for."),
            "team": RowId("Team", "A team on standby, to be assigned at once."),
            "expert": RowId("Expert", "An expert on standby, to be assigned at once."),
            "stock_item": RowId("StockItem", "A stock item, to be assigned at once."),
            "quantity": Argument("Units of the stock item, at least 1.", [Limits(min=1)]),
        },
        {"dispatch": Dispatch},
        success="DispatchRequested",
        problems=(StockExhausted,),
        subject=False,
    ),
    mutation(
        "dispatchAssign",
        dispatches.assign,
        "Assign a team, an expert, or a quantity of a stock item, which is reserved (指派).",
        {
            "dispatch": RowId("Dispatch", "The dispatch."),
            "team": RowId("Team", "A team on standby."),
            "expert": RowId("Expert", "An expert on standby."),
            "stock_item": RowId("StockItem", "A stock item."),
            "quantity": Argument("Units of the stock item, at least 1.", [Limits(min=1)]),
        },
        {"dispatch": Dispatch},
        success="DispatchAssigned",
        problems=(StockExhausted,),
    ),
    mutation(
        "dispatchAcknowledge",
        dispatches.advance,
        "Record that the resource has acknowledged the dispatch (确认).",
        {"dispatch": RowId("Dispatch", "The dispatch.")},
        {"dispatch": Dispatch},
        success="DispatchAcknowledged",
    ),
    mutation(
        "dispatchDepart",
        dispatches.advance,
        "Record that the resource has set out (出发).",
        {"dispatch": RowId("Dispatch", "The dispatch.")},
        {"dispatch": Dispatch},
        success="DispatchDeparted",
    ),
    mutation(
        "dispatchArrive",
        dispatches.arrive,
        "Record that the resource has arrived (到场).",
        {"dispatch": RowId("Dispatch", "The dispatch.")},
        {"dispatch": Dispatch},
        success="DispatchArrived",
    ),
    mutation(
        "dispatchComplete",
        dispatches.complete,
        "Complete the work; stock that was used is drawn (完成).",
        {
            "dispatch": RowId("Dispatch", "The dispatch."),
            "drawn": Argument("Units used; required for stock, 0 or more.", [Limits(min=0)]),
        },
        {"dispatch": Dispatch},
        success="DispatchCompleted",
    ),
    mutation(
        "dispatchRelease",
        dispatches.release,
        "Release the resource; stock that was not used is freed (释放).",
        {"dispatch": RowId("Dispatch", "The dispatch.")},
        {"dispatch": Dispatch},
        success="DispatchReleased",
    ),
    mutation(
        "dispatchDecline",
        dispatches.call_off,
        "Record that the resource has declined (谢绝).",
        {"dispatch": RowId("Dispatch", "The dispatch."), "reason": "Reason."},
        {"dispatch": Dispatch},
        success="DispatchDeclined",
    ),
    mutation(
        "dispatchCancel",
        dispatches.call_off,
        "Cancel a dispatch (取消).",
        {"dispatch": RowId("Dispatch", "The dispatch."), "reason": "Reason."},
        {"dispatch": Dispatch},
        success="DispatchCancelled",
    ),
)
