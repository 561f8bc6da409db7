"""Where every reading operation begins."""

import math
from dataclasses import dataclass
from typing import Any

import strawberry
from strawberry.types.arguments import StrawberryArgument

import models
from resolvers.errors import ErrorCode, RequestError, checked_text
from resolvers.queries import nearby, search, timeline, viewers
from resolvers.sql import authorization
from schema import ids
from schema.assistance import AssistanceRequest
from schema.case import Case
from schema.connection import Connection, filtered, to_list, to_many
from schema.context import Asker, Context, Record
from schema.declare import NODES, Given, Load, LoadField, Node, argument, batch, declared, target
from schema.dispatch import Dispatch
from schema.district import District
from schema.enterprise import Enterprise
from schema.event import Event, whole_log
from schema.expert import Expert
from schema.hazard import Hazard
from schema.inspection import Inspection
from schema.inspector import Inspector
from schema.nearby import Nearby
from schema.search import SearchHit
from schema.team import Team
from schema.values import PointInput
from schema.venue import Venue
from schema.viewer import Viewer
from schema.warehouse import Warehouse
from schema.warning import Warning
from schema.zone import Zone

NODES_MAXIMUM = 1000


@dataclass(eq=False)
class Find(Load):
    """Anything by its global id."""

    def arguments(self, field: LoadField) -> list[StrawberryArgument]:
        return [argument("id", "Global id.", strawberry.ID)]

    def resolve(self, field: LoadField, source: Any, context: Context, arguments: dict[str, Any]) -> Any:
        return found(arguments["id"], context)


@dataclass(eq=False)
class FindAll(Load):
    """Many of them, in the order of the ids."""

    def arguments(self, field: LoadField) -> list[StrawberryArgument]:
        return [argument("ids", f"Global ids, at most {NODES_MAXIMUM:,}.", list[strawberry.ID])]

    def resolve(self, field: LoadField, source: Any, context: Context, arguments: dict[str, Any]) -> Any:
        wanted = arguments["ids"]
        if len(wanted) > NODES_MAXIMUM:
            raise RequestError(ErrorCode.BAD_INPUT, f"`ids` may have at most {NODES_MAXIMUM:,}.")
        return [found(one, context) for one in wanted]


@dataclass(eq=False)
class FindBy(Load):
    """A row by one of its natural keys: `key` is a @oneOf input, `columns` say what each field of it looks up."""

    key: Any
    columns: dict[str, Any]

    def arguments(self, field: LoadField) -> list[StrawberryArgument]:
        return [argument("by", "Which one.", self.key)]

    def resolve(self, field: LoadField, source: Any, context: Context, arguments: dict[str, Any]) -> Any:
        node = target(field.type)
        by, key = key_asked(arguments, node.__name__)
        return context.one(node.row, key, self.columns.get(by))


@dataclass(eq=False)
class Sole(Load):
    """The only row of its table."""

    async def resolve(self, field: LoadField, source: Any, context: Context, arguments: dict[str, Any]) -> Record:
        if not authorization.may_read(context.viewer.visibility):
            raise RequestError(ErrorCode.FORBIDDEN, "The scope `read` is needed.")
        found = await context.one(target(field.type).row, 1)
        if found is None:
            raise RequestError(
                ErrorCode.NO_DISTRICT, "The database has no district yet: seed the demo, or import a register."
            )
        return found


def key_asked(arguments: dict[str, Any], name: str) -> tuple[str, Any]:
    """By which of its keys a row of the type `name` is asked for, and the key. Raises Refused."""
    [(by, value)] = [(k, v) for k, v in vars(arguments["by"]).items() if v is not strawberry.UNSET]
    return by, ids.key_of(value, name) if by == "id" else checked_text(value)


async def found(text: str, context: Context) -> Record | None:
    """The row that a global id stands for, or None. Raises Refused for a text that is no id."""
    name, key = ids.decode(text)
    if name not in NODES:
        raise RequestError(ErrorCode.BAD_ID, "That is not an id of this graph.")
    node = NODES[name]
    record = await context.one(node.row, key)
    # Several types tell of events, and an id is good for its own only.
    return record if record is not None and node.is_type_of(record, None) else None


def point(value: PointInput, asker: Asker) -> tuple[float, float]:
    if not (math.isfinite(value.latitude) and math.isfinite(value.longitude)):
        raise RequestError(ErrorCode.BAD_INPUT, "A point's degrees must be finite.")
    return value.latitude, value.longitude


def key_field(description: str) -> Any:
    return strawberry.field(default=strawberry.UNSET, description=description)


@strawberry.input(one_of=True, description="Which zone: exactly one field.")
class ZoneKey:
    id: strawberry.ID | None = key_field("By global id.")
    code: str | None = key_field("By its code.")


@strawberry.input(one_of=True, description="Which venue: exactly one field.")
class VenueKey:
    id: strawberry.ID | None = key_field("By global id.")
    code: str | None = key_field("By its code.")


@strawberry.input(one_of=True, description="Which enterprise: exactly one field.")
class EnterpriseKey:
    id: strawberry.ID | None = key_field("By global id.")
    credit_code: str | None = key_field("By unified social credit code.")
    external_id: str | None = key_field("By its key in the register that it was imported from.")


@strawberry.type(description="Where every reading operation begins.")
class Query:
    cursor: str = batch(
        timeline.head,
        description="The log's end, at the moment of this operation. A client that loads with it and then subscribes"
        " `after` it misses nothing.",
    )
    node: Node | None = declared(Find(), "Anything by its global id; null if it does not exist or is not yours to see.")
    nodes: list[Node | None] = declared(FindAll(), "Many of them at once, in the order of the ids.")
    viewer: Viewer = batch(viewers.asking, description="Who asks.")
    district: District = declared(Sole(), "The district.")
    zones: list[Zone] = to_list(None, "Its zones.")
    zone: Zone | None = declared(FindBy(ZoneKey, {"code": models.Zone.code}), "One zone; null if there is none such.")
    venues: Connection[Venue] = to_many(None, "The venues.")
    venue: Venue | None = declared(
        FindBy(VenueKey, {"code": models.Venue.code}), "One venue; null if there is none such."
    )
    enterprises: Connection[Enterprise] = to_many(None, "The enterprises.")
    enterprise: Enterprise | None = declared(
        FindBy(
            EnterpriseKey,
            {"credit_code": models.Enterprise.credit_code, "external_id": models.Enterprise.external_id},
        ),
        "One enterprise; null if there is none such, or it is not yours to see.",
    )
    hazards: Connection[Hazard] = to_many(None, "The hazards.")
    inspections: Connection[Inspection] = to_many(None, "The inspections.")
    cases: Connection[Case] = to_many(None, "The cases, newest first.")
    dispatches: Connection[Dispatch] = to_many(None, "The dispatches, newest first.")
    assistance_requests: Connection[AssistanceRequest] = to_many(None, "The requests for help, newest first.")
    warnings: Connection[Warning] = to_many(None, "The warnings, newest first.")
    experts: Connection[Expert] = to_many(None, "The experts.")
    teams: Connection[Team] = to_many(None, "The teams.")
    warehouses: Connection[Warehouse] = to_many(None, "The warehouses.")
    inspectors: Connection[Inspector] = to_many(None, "The inspectors.")
    events: Connection[Event] = whole_log("The log, oldest first; an edge's cursor is its event's.")
    nearby: list[Nearby] = batch(
        nearby.near_point,
        description="What is around a point, nearest first.",
        carries=nearby.CARRIES,
        arguments={
            "point": Given("The point.", lambda: PointInput, point),
            "kinds": "What to look for.",
            "within_metres": "No farther than this, in metres along the ground; without it, however far.",
            "first": "So many of each kind, 1 to 1,000.",
            "filter": filtered("Enterprise", "Of enterprises only those."),
        },
    )
    search: list[SearchHit] = batch(
        search.find,
        description="Names, addresses, credit codes, specialties: a part is enough; best first.",
        arguments={
            "text": "What to look for, 1 to 200 characters.",
            "kinds": "Where to look; without it, everywhere.",
            "first": "So many hits in all, 1 to 1,000.",
        },
    )
