"""Enterprises and their safety files."""

import datetime as dt
import enum

import strawberry

import models
from models import HAZARD_SETTLED, PERSONAL_DATA, RiskGrade
from resolvers.queries import monthly_trends, nearby, portraits, usual_bands
from resolvers.retired import RETIRED
from resolvers.sql.named_rows import CREDIT_CODE, RING_CODE, TOWN_CODE, VENUE_CODE, ZONE_CODE, HasKey
from resolvers.sql.pagination import null_grades_first, null_times_first
from resolvers.sql.polygons import POSITIONS_MAXIMUM, InsidePolygon
from resolvers.sql.predicates import AllOf, Among, AnyOf, Equal, Exceeds, IsNull, OneOf, Past, Within, before, since
from resolvers.sql.predicates import Not as NotClause
from schema.fields.batch import batch
from schema.fields.columns import column, sub_object
from schema.fields.connections import Connection, to_list, to_many
from schema.fields.event_log import log_of
from schema.fields.filters import alternatives, any_code, any_id, any_number, day, filter_field, flag, opposite, part_of
from schema.fields.nodes import node
from schema.fields.references import to_one
from schema.fields.source import Node
from schema.types import lazy
from schema.types.enums import Direction, describe
from schema.types.nearby import NEARBY_ARGUMENTS, NEARBY_COST, Nearby
from schema.types.portrait import Portrait, PortraitMonth, UsualBands, monthly_trend_of, portrait_of, usual_bands_of
from schema.types.scalars import Contact, GeoJSON, Point

describe(
    RiskGrade,
    "Risk grade of an enterprise (风险等级).",
    BLUE="Low risk (低风险).",
    YELLOW="General risk (一般风险).",
    ORANGE="Considerable risk (较大风险).",
    RED="Grave risk (重大风险).",
)

IN_RINGS = Within(models.Enterprise.id, models.EnterpriseRing.enterprise_id, Among(models.EnterpriseRing.ring_id))
IN_VENUES = Within(
    models.Enterprise.id,
    models.EnterpriseRing.enterprise_id,
    Within(models.EnterpriseRing.ring_id, models.ControlRing.id, Among(models.ControlRing.venue_id)),
)
IN_ZONE_CODES = HasKey(models.Enterprise.zone_id, ZONE_CODE)
IN_RING_CODES = Within(
    models.Enterprise.id, models.EnterpriseRing.enterprise_id, HasKey(models.EnterpriseRing.ring_id, RING_CODE)
)
IN_VENUE_CODES = Within(
    models.Enterprise.id,
    models.EnterpriseRing.enterprise_id,
    Within(models.EnterpriseRing.ring_id, models.ControlRing.id, HasKey(models.ControlRing.venue_id, VENUE_CODE)),
)
OF_GRADES = Among(models.Enterprise.risk_grade)
OVERDUE = AllOf(NotClause(OneOf(models.Hazard.status, HAZARD_SETTLED)), Past(models.Hazard.deadline))


@strawberry.input(description="Conditions on enterprises.")
class EnterpriseFilter:
    ids: list[strawberry.ID] | None = any_id("Enterprise", Among(models.Enterprise.id), "Any of these.")
    credit_codes: list[str] | None = any_code(
        CREDIT_CODE, Among(models.Enterprise.credit_code), "With any of these unified social credit codes."
    )
    zones: list[strawberry.ID] | None = any_id("Zone", Among(models.Enterprise.zone_id), "In any of these zones.")
    zone_codes: list[str] | None = any_code(ZONE_CODE, IN_ZONE_CODES, "In a zone with any of these codes.")
    towns: list[strawberry.ID] | None = any_id("Town", Among(models.Enterprise.town_id), "In any of these towns.")
    town_codes: list[str] | None = any_code(
        TOWN_CODE, HasKey(models.Enterprise.town_id, TOWN_CODE), "In a town with any of these codes of 9 digits."
    )
    rings: list[strawberry.ID] | None = any_id("ControlRing", IN_RINGS, "Inside any of these rings.")
    ring_codes: list[str] | None = any_code(
        RING_CODE,
        IN_RING_CODES,
        "Inside any of these rings, by the code of the venue and the grade: `HOSC-STADIUM/STRICT`.",
    )
    venues: list[strawberry.ID] | None = any_id("Venue", IN_VENUES, "Inside any ring of any of these venues.")
    venue_codes: list[str] | None = any_code(
        VENUE_CODE, IN_VENUE_CODES, "Inside any ring of a venue with any of these codes."
    )
    within: GeoJSON | None = filter_field(
        InsidePolygon(models.Enterprise.longitude, models.Enterprise.latitude),
        f"Inside this polygon: an RFC 7946 geometry of the type Polygon with at most {POSITIONS_MAXIMUM} positions.",
    )
    risk_grades: list[RiskGrade] | None = filter_field(OF_GRADES, "Of any of these grades.")
    hazardous_chemicals: bool | None = filter_field(
        Equal(models.Enterprise.hazardous_chemicals), "Those that handle hazardous chemicals, or those that do not."
    )
    major_hazard_levels: list[int] | None = any_number(
        range(1, 5),
        Among(models.Enterprise.major_hazard_level),
        "With a major hazard installation of any of these levels, 1 to 4.",
    )
    industry: str | None = filter_field(Equal(models.Enterprise.industry), "Of exactly this industry.")
    retired: bool | None = filter_field(
        RETIRED,
        "Those that are retired, or those that are not. A filter without this field, not counting `or` and `not`, gives"
        " only those that are not; null asks for both.",
        standing=False,
    )
    text: str | None = part_of(
        "Name, address or credit code contains this text.",
        models.Enterprise.name,
        models.Enterprise.address,
        models.Enterprise.credit_code,
    )
    has_open_hazards: bool | None = flag(
        Exceeds(models.Enterprise.open_hazards), "With hazards that are neither closed nor dismissed, or without."
    )
    has_overdue_hazards: bool | None = flag(
        Within(models.Enterprise.id, models.Hazard.enterprise_id, OVERDUE), "With overdue hazards, or without."
    )
    inspected_since: dt.date | None = day(
        since(models.Enterprise.last_inspected_at), "With an inspection submitted on this day or later."
    )
    not_inspected_since: dt.date | None = day(
        AnyOf(IsNull(models.Enterprise.last_inspected_at), before(models.Enterprise.last_inspected_at)),
        "Without an inspection submitted on this day or later.",
    )
    or_: list["EnterpriseFilter"] | None = alternatives()
    not_: "EnterpriseFilter | None" = opposite()


@strawberry.enum(description="Fields that enterprises can be sorted by.")
class EnterpriseOrderField(enum.Enum):
    NAME = strawberry.enum_value("name", description="By name, in the order of the characters' code points.")
    RISK_GRADE = strawberry.enum_value("risk", description="By grade; not graded counts as lowest.")
    OPEN_HAZARDS = strawberry.enum_value("open", description="By the number of hazards neither closed nor dismissed.")
    LAST_INSPECTED = strawberry.enum_value("inspected", description="By the last submission; never counts as earliest.")
    UPDATED_AT = strawberry.enum_value("updated", description="By the last change of the enterprise's own data.")


@strawberry.input(description="Order of enterprises.")
class EnterpriseOrder:
    field: EnterpriseOrderField = strawberry.field(description="The field to sort by.")
    direction: Direction = strawberry.field(default=Direction.ASCENDING, description="Direction of the order.")


@node(
    models.Enterprise,
    filter=EnterpriseFilter,
    ordering=EnterpriseOrder,
    sort={
        EnterpriseOrderField.NAME: models.Enterprise.name,
        EnterpriseOrderField.RISK_GRADE: null_grades_first(models.Enterprise.risk_grade),
        EnterpriseOrderField.OPEN_HAZARDS: models.Enterprise.open_hazards,
        EnterpriseOrderField.LAST_INSPECTED: null_times_first(models.Enterprise.last_inspected_at),
        EnterpriseOrderField.UPDATED_AT: models.Enterprise.updated_at,
    },
)
class Enterprise(Node):
    """An enterprise under supervision, with its safety file (企业及其安全档案)."""

    credit_code: str | None = column(
        models.Enterprise.credit_code, "Unified social credit code (GB 32100-2015), 18 characters; null if it has none."
    )
    external_id: str | None = column(
        models.Enterprise.external_id, "Key in the register that it was imported from; null if it was not imported."
    )
    name: str = column(models.Enterprise.name, "Registered name.")
    address: str | None = column(models.Enterprise.address, "Street address; null if not known.")
    location: Point | None = sub_object(
        "Location; null if not known.", latitude=models.Enterprise.latitude, longitude=models.Enterprise.longitude
    )
    town: lazy.Town | None = to_one(models.Enterprise.town_id, "Town; null if not known.")
    zone: lazy.Zone | None = to_one(models.Enterprise.zone_id, "Zone; null outside all zones.")
    rings: list[lazy.ControlRing] = to_list(
        models.EnterpriseRing.enterprise_id,
        "Control rings around it.",
        through=(models.ControlRing.id, models.EnterpriseRing.ring_id),
    )
    risk_grade: RiskGrade | None = column(models.Enterprise.risk_grade, "Risk grade; null until graded.")
    industry: str | None = column(models.Enterprise.industry, "Industry; null if not known.")
    hazardous_chemicals: bool = column(
        models.Enterprise.hazardous_chemicals, "Whether it makes, stores or uses hazardous chemicals."
    )
    major_hazard_level: int | None = column(
        models.Enterprise.major_hazard_level,
        "Level of its major hazard installation (重大危险源), 1 the gravest to 4; null if it has none.",
    )
    retired_at: dt.datetime | None = column(
        models.Enterprise.retired_at,
        "When it was retired, because it had vanished from all registers; null if it is not. No list has a retired"
        " enterprise unless its filter asks for it. It returns when an import or `enterpriseUpsert` has it again.",
    )
    legal_representative: Contact | None = sub_object(
        "Legal representative (法定代表人); null if not known, or for a viewer who may not see personal data.",
        sees=PERSONAL_DATA,
        name=models.Enterprise.legal_name,
        phone=models.Enterprise.legal_phone,
    )
    safety_contact: Contact | None = sub_object(
        "Person responsible for safety (安全负责人); null if not known, or for a viewer who may not see personal data.",
        sees=PERSONAL_DATA,
        name=models.Enterprise.safety_name,
        phone=models.Enterprise.safety_phone,
    )
    hazards: Connection[lazy.Hazard] = to_many(models.Hazard.enterprise_id, "Hazards at it.")
    inspections: Connection[lazy.Inspection] = to_many(models.Inspection.enterprise_id, "Inspections of it.")
    cases: Connection[lazy.Case] = to_many(models.Case.enterprise_id, "Cases against it, newest first.")
    control_measures: Connection[lazy.ControlMeasure] = to_many(
        models.ControlMeasure.enterprise_id, "Control measures at it."
    )
    cameras: Connection[lazy.Camera] = to_many(models.Camera.enterprise_id, "Cameras at it.")
    duty_reports: Connection[lazy.DutyReport] = to_many(models.DutyReport.enterprise_id, "Duty reports, newest first.")
    assistance_requests: Connection[lazy.AssistanceRequest] = to_many(
        models.AssistanceRequest.enterprise_id, "Requests for help, newest first."
    )
    dispatches: Connection[lazy.Dispatch] = to_many(models.Dispatch.enterprise_id, "Dispatches to it, newest first.")
    nearest: list[Nearby] = batch(
        nearby.nearest_to,
        models.Enterprise.id,
        models.Enterprise.latitude,
        models.Enterprise.longitude,
        description="The nearest rows of each kind, at any distance; empty where it has no location.",
        json_attributes=nearby.JSON_ATTRIBUTES,
        arguments={name: of for name, of in NEARBY_ARGUMENTS.items() if name != "within_metres"},
        cost=NEARBY_COST,
    )
    timeline: Connection[lazy.Event] = log_of(models.Event.enterprise_id, "Events about it, newest first.")
    portrait: Portrait | None = portrait_of(portraits.of_enterprises, models.Enterprise.id)
    monthly_trend: list[PortraitMonth] | None = monthly_trend_of(monthly_trends.of_enterprises, models.Enterprise.id)
    usual_bands: UsualBands | None = usual_bands_of(usual_bands.of_enterprises, models.Enterprise.id)
    version: int = column(
        models.Enterprise.version, "Version; rises by one with every change of the enterprise's own data."
    )
    updated_at: dt.datetime = column(models.Enterprise.updated_at, "When the enterprise's own data last changed.")
