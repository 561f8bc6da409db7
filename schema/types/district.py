"""The district."""

import models
from resolvers.availability import position_minutes
from resolvers.queries import monthly_trends, portraits, usual_bands
from schema.fields.batch import batch
from schema.fields.columns import column, compute
from schema.fields.connections import to_list
from schema.fields.nodes import node
from schema.fields.source import Node
from schema.types import lazy
from schema.types.portrait import (
    Portrait,
    PortraitMonth,
    RateHistory,
    UsualBands,
    monthly_trend_of,
    portrait_of,
    rate_history_of,
    usual_bands_of,
)
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
    position_minutes: int = batch(
        position_minutes,
        models.District.id,
        description="Age in minutes up to which an inspector's position counts for choosing who is nearest"
        " (HUHANG_POSITION_MINUTES).",
    )
    boundary: GeoJSON | None = compute(
        geometry, models.District.boundary, description="Outline; null if it is not known."
    )
    zones: list[lazy.Zone] = to_list(models.Zone.district_id, "Zones of the district.")
    command: list[lazy.CommandUnit] = to_list(
        models.CommandUnit.district_id,
        "Units of the command: office, groups and zone headquarters; empty for an enterprise.",
    )
    portrait: Portrait | None = portrait_of(portraits.of_districts, models.District.id)
    monthly_trend: list[PortraitMonth] | None = monthly_trend_of(monthly_trends.of_districts, models.District.id)
    rate_history: RateHistory | None = rate_history_of(usual_bands.rates_of_districts, models.District.id)
    usual_bands: UsualBands | None = usual_bands_of(usual_bands.of_districts, models.District.id)
