"""The district."""

import models
from resolvers.queries import portraits, rate_history
from schema.fields.batch import batch
from schema.fields.columns import column, compute
from schema.fields.connections import to_list
from schema.fields.nodes import node
from schema.fields.source import Node
from schema.types import lazy
from schema.types.portrait import HISTORY_COST, HISTORY_DESCRIPTION, SCOPE_COST, WINDOW, Portrait, RateHistory
from schema.types.scalars import GeoJSON, geometry


@node(models.District)
class District(Node):
    """The district that is guarded (区)."""

    name: str = column(models.District.name, "Name.")
    name_en: str | None = column(models.District.name_en, "English name; null if it has none.")
    area_code: str | None = column(
        models.District.area_code, "Administrative code of 6 digits (GB/T 2260); null if it has none."
    )
    time_zone: str = column(models.District.time_zone, "IANA name of the time zone in which days are counted.")
    boundary: GeoJSON | None = compute(
        geometry, models.District.boundary, description="Outline; null if it is not known."
    )
    zones: list[lazy.Zone] = to_list(models.Zone.district_id, "Zones of the district.")
    command: list[lazy.CommandUnit] = to_list(
        models.CommandUnit.district_id,
        "Units of the command: office, groups and zone headquarters; empty for an enterprise.",
    )
    portrait: Portrait | None = batch(
        portraits.of_districts,
        models.District.id,
        description="Indicators; null for a viewer who may not see them.",
        arguments=WINDOW,
        cost=SCOPE_COST,
    )
    rate_history: RateHistory | None = batch(
        rate_history.of_districts, models.District.id, description=HISTORY_DESCRIPTION, cost=HISTORY_COST
    )
