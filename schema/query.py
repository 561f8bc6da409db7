"""The root type of queries."""

import math
from typing import Any

import strawberry

import models
from models.reason import Reason
from resolvers.errors import ErrorCode, RequestError
from resolvers.queries import briefings, district_map, group_counts, nearby, search, timeline, viewers
from schema.execution.context import Requester
from schema.fields.batch import BatchArgument, batch
from schema.fields.connections import Connection, to_list, to_many
from schema.fields.event_log import whole_log
from schema.fields.lookups import NodeById, NodesByIds, RowByKey, Singleton
from schema.fields.source import Node, declare_field
from schema.types import district_map as maps
from schema.types import group_counts as counts
from schema.types.assistance import AssistanceRequest, DutyReport
from schema.types.camera import Camera
from schema.types.case import Case
from schema.types.dispatch import Dispatch
from schema.types.district import District
from schema.types.enterprise import Enterprise
from schema.types.event import Event
from schema.types.evidence import STATUS_COST, EvidenceStatus, status_of
from schema.types.expert import Expert
from schema.types.handover import BRIEFING_COST, Briefing, Handover
from schema.types.hazard import Hazard
from schema.types.inspection import Inspection
from schema.types.inspector import Inspector
from schema.types.measure import ControlMeasure
from schema.types.nearby import NEARBY_ARGUMENTS, NEARBY_COST, Nearby
from schema.types.scalars import PointInput
from schema.types.search import SEARCH_COST, SearchHit
from schema.types.team import Team
from schema.types.town import Town
from schema.types.venue import Venue
from schema.types.viewer import Viewer
from schema.types.warehouse import Warehouse
from schema.types.warning import Warning
from schema.types.zone import Zone


def point(value: PointInput, asker: Requester) -> tuple[float, float]:
    if not (math.isfinite(value.latitude) and math.isfinite(value.longitude)):
        raise RequestError(ErrorCode.BAD_INPUT, Reason("POINT_NOT_FINITE", "A point's degrees must be finite."))
    return value.latitude, value.longitude


def key_field(description: str) -> Any:
    return strawberry.field(default=strawberry.UNSET, description=description)


@strawberry.input(one_of=True, description="Key of a zone: exactly one field.")
class ZoneKey:
    id: strawberry.ID | None = key_field("By global id.")
    code: str | None = key_field("By its code.")


@strawberry.input(one_of=True, description="Key of a venue: exactly one field.")
class VenueKey:
    id: strawberry.ID | None = key_field("By global id.")
    code: str | None = key_field("By its code.")


@strawberry.input(one_of=True, description="Key of an enterprise: exactly one field.")
class EnterpriseKey:
    id: strawberry.ID | None = key_field("By global id.")
    credit_code: str | None = key_field("By unified social credit code.")
    external_id: str | None = key_field("By its key in the register that it was imported from.")


@strawberry.type(description="Root of queries.")
class Query:
    cursor: str = batch(
        timeline.head,
        description="Cursor of the log's end at the time of this operation. A client that loads data with it and then"
        " subscribes `after` it misses nothing.",
    )
    node: Node | None = declare_field(
        NodeById(), "A row by its global id; null if it does not exist or the viewer may not see it."
    )
    nodes: list[Node | None] = declare_field(
        NodesByIds(), "Rows by their global ids, in the order of the ids; at most 1,000."
    )
    viewer: Viewer = batch(viewers.current_viewer, description="The viewer of this operation.")
    district: District = declare_field(Singleton(), "The district.")
    zones: list[Zone] = to_list(None, "The zones of the district.")
    zone: Zone | None = declare_field(
        RowByKey(ZoneKey, {"code": models.Zone.code}), "One zone; null if there is none with this key."
    )
    venues: Connection[Venue] = to_many(None, "The venues.")
    venue: Venue | None = declare_field(
        RowByKey(VenueKey, {"code": models.Venue.code}), "One venue; null if there is none with this key."
    )
    enterprises: Connection[Enterprise] = to_many(None, "The enterprises.")
    enterprise: Enterprise | None = declare_field(
        RowByKey(
            EnterpriseKey,
            {"credit_code": models.Enterprise.credit_code, "external_id": models.Enterprise.external_id},
        ),
        "One enterprise; null if there is none with this key, or the viewer may not see it.",
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
    cameras: Connection[Camera] = to_many(None, "The cameras.")
    towns: Connection[Town] = to_many(None, "The towns and streets.")
    control_measures: Connection[ControlMeasure] = to_many(None, "The control measures.")
    duty_reports: Connection[DutyReport] = to_many(None, "The duty reports, newest first.")
    events: Connection[Event] = whole_log("Events of the log, oldest first; an edge's cursor is that of its event.")
    handovers: Connection[Handover] = to_many(None, "The handovers, newest first; none if you are not a commander.")
    briefing: Briefing | None = batch(
        briefings.current,
        description="The briefing for the handover of the duty; null if you are not a commander.",
        arguments={
            "after": "Cursor after which it begins; by default your last signature of a handover, or else 24 hours ago."
        },
        cost=BRIEFING_COST,
    )
    evidence_status: list[EvidenceStatus] = batch(
        status_of,
        description="Which files of evidence the server has, in the order of their hashes: of those that you sent, or"
        " your device if it names itself.",
        arguments={"sha256": "SHA-256 of each file as you have it, 64 digits in lower case; at most 1,000."},
        cost=STATUS_COST,
    )
    nearby: list[Nearby] = batch(
        nearby.near_point,
        description="Rows around a point, nearest first.",
        json_attributes=nearby.JSON_ATTRIBUTES,
        arguments={
            "point": BatchArgument("The point.", lambda: PointInput, point),
            **NEARBY_ARGUMENTS,
        },
        cost=NEARBY_COST,
    )
    search: list[SearchHit] = batch(
        search.find,
        description="Rows whose name, address, credit code, specialty or badge contains a text, best first.",
        arguments={
            "text": "The text, 1 to 200 characters.",
            "kinds": "Kinds of rows to search; by default all.",
            "first": "Number of hits in all, 0 to 1,000.",
        },
        cost=SEARCH_COST,
    )
    enterprise_map: maps.EnterpriseMap = batch(
        district_map.enterprises,
        description="The enterprises of a part of the map, as points or as clusters.",
        arguments=maps.ENTERPRISES,
        cost=maps.MAP_COST,
    )
    hazard_map: maps.HazardMap = batch(
        district_map.hazards,
        description="The hazards of a part of the map, as points or as clusters.",
        arguments=maps.HAZARDS,
        cost=maps.MAP_COST,
    )
    resource_map: maps.ResourceMap = batch(
        district_map.resources,
        description="The resources of a part of the map, as points or as clusters.",
        arguments=maps.RESOURCES,
        cost=maps.MAP_COST,
    )
    hazard_counts: list[counts.HazardCount] = batch(
        group_counts.hazards,
        description="Numbers of hazards by their fields and over time; what is unknown is a group of its own.",
        arguments=counts.count_arguments("Hazard"),
        cost=counts.COUNTS_COST,
    )
    inspection_counts: list[counts.InspectionCount] = batch(
        group_counts.inspections,
        description="Numbers of inspections by their fields and over time; what is unknown is a group of its own.",
        arguments=counts.count_arguments("Inspection"),
        cost=counts.COUNTS_COST,
    )
    case_counts: list[counts.CaseCount] = batch(
        group_counts.cases,
        description="Numbers of cases by their fields and over time; what is unknown is a group of its own.",
        arguments=counts.count_arguments("Case"),
        cost=counts.COUNTS_COST,
    )
    enterprise_counts: list[counts.EnterpriseCount] = batch(
        group_counts.enterprises,
        description="Numbers of enterprises by their fields and over time; what is unknown is a group of its own.",
        arguments=counts.count_arguments("Enterprise"),
        cost=counts.COUNTS_COST,
    )
