"""References from one noun's graph type to another's.

Nouns refer to each other in both directions. Annotations such as `lazy.Zone`, `list[lazy.Zone]` or
`Connection[lazy.Zone]` name a type without importing its module: Strawberry imports it when it builds the schema, and
the type checker sees the type itself.
"""

from typing import TYPE_CHECKING, Annotated

import strawberry

if TYPE_CHECKING:
    from schema.types.assistance import AssistanceRequest as AssistanceRequest
    from schema.types.assistance import DutyReport as DutyReport
    from schema.types.camera import Camera as Camera
    from schema.types.case import Case as Case
    from schema.types.command import CommandUnit as CommandUnit
    from schema.types.dispatch import Dispatch as Dispatch
    from schema.types.enterprise import Enterprise as Enterprise
    from schema.types.event import Event as Event
    from schema.types.evidence import Evidence as Evidence
    from schema.types.expert import Expert as Expert
    from schema.types.handover import Handover as Handover
    from schema.types.hazard import Hazard as Hazard
    from schema.types.inspection import Inspection as Inspection
    from schema.types.inspector import Inspector as Inspector
    from schema.types.measure import ControlMeasure as ControlMeasure
    from schema.types.ring import ControlRing as ControlRing
    from schema.types.team import Team as Team
    from schema.types.town import Town as Town
    from schema.types.venue import Venue as Venue
    from schema.types.warehouse import StockItem as StockItem
    from schema.types.warehouse import Warehouse as Warehouse
    from schema.types.warning import Warning as Warning
    from schema.types.zone import Zone as Zone
else:
    AssistanceRequest = Annotated["AssistanceRequest", strawberry.lazy("schema.types.assistance")]
    Camera = Annotated["Camera", strawberry.lazy("schema.types.camera")]
    Case = Annotated["Case", strawberry.lazy("schema.types.case")]
    CommandUnit = Annotated["CommandUnit", strawberry.lazy("schema.types.command")]
    ControlMeasure = Annotated["ControlMeasure", strawberry.lazy("schema.types.measure")]
    ControlRing = Annotated["ControlRing", strawberry.lazy("schema.types.ring")]
    Dispatch = Annotated["Dispatch", strawberry.lazy("schema.types.dispatch")]
    DutyReport = Annotated["DutyReport", strawberry.lazy("schema.types.assistance")]
    Enterprise = Annotated["Enterprise", strawberry.lazy("schema.types.enterprise")]
    Event = Annotated["Event", strawberry.lazy("schema.types.event")]
    Evidence = Annotated["Evidence", strawberry.lazy("schema.types.evidence")]
    Expert = Annotated["Expert", strawberry.lazy("schema.types.expert")]
    Handover = Annotated["Handover", strawberry.lazy("schema.types.handover")]
    Hazard = Annotated["Hazard", strawberry.lazy("schema.types.hazard")]
    Inspection = Annotated["Inspection", strawberry.lazy("schema.types.inspection")]
    Inspector = Annotated["Inspector", strawberry.lazy("schema.types.inspector")]
    StockItem = Annotated["StockItem", strawberry.lazy("schema.types.warehouse")]
    Team = Annotated["Team", strawberry.lazy("schema.types.team")]
    Town = Annotated["Town", strawberry.lazy("schema.types.town")]
    Venue = Annotated["Venue", strawberry.lazy("schema.types.venue")]
    Warehouse = Annotated["Warehouse", strawberry.lazy("schema.types.warehouse")]
    Warning = Annotated["Warning", strawberry.lazy("schema.types.warning")]
    Zone = Annotated["Zone", strawberry.lazy("schema.types.zone")]
