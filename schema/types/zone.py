"""The zones."""

import models
from models import ZoneFocus
from resolvers.queries import monthly_trends, portraits, rainfall, usual_bands
from schema.fields.batch import batch
from schema.fields.columns import column, compute
from schema.fields.connections import Connection, to_list, to_many
from schema.fields.nodes import node
from schema.fields.references import to_one_back
from schema.fields.source import FieldCost, Node
from schema.types import lazy
from schema.types.enums import describe
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
from schema.types.rainfall import Rainfall
from schema.types.scalars import GeoJSON

describe(
    ZoneFocus,
    "Main danger in a zone.",
    WATERLOGGING="Waterlogging by short heavy rain (内涝).",
    HAZARDOUS_CHEMICALS="Hazardous chemicals (危险化学品).",
    CROWDED_PLACES="Crowded places (人员密集场所).",
    FOREST_AND_FLOOD="Forest fire and flood (森林防火和防汛).",
)


@node(models.Zone)
class Zone(Node):
    """A zone of the district, with its own main dangers and headquarters (战区)."""

    code: str = column(models.Zone.code, "Short code, unique in the district.")
    name: str = column(models.Zone.name, "Name.")
    name_en: str | None = column(models.Zone.name_en, "English name; null if it has none.")
    focus: list[ZoneFocus] = column(models.Zone.focus, "Main dangers.")
    plan: str = column(models.Zone.plan, "Plan of protection.", size=800)
    boundary: GeoJSON = compute(GeoJSON, models.Zone.boundary, description="Outline.")
    towns: list[lazy.Town] = to_list(models.Town.zone_id, "Towns and streets.")
    venues: list[lazy.Venue] = to_list(models.Venue.zone_id, "Venues in it.")
    command: lazy.CommandUnit | None = to_one_back(
        models.Zone.id, models.CommandUnit.zone_id, "Headquarters; null if it has none, or for an enterprise."
    )
    enterprises: Connection[lazy.Enterprise] = to_many(models.Enterprise.zone_id, "Enterprises in it.")
    hazards: Connection[lazy.Hazard] = to_many(
        models.Enterprise.zone_id,
        "Hazards at its enterprises.",
        through=(models.Hazard.enterprise_id, models.Enterprise.id),
    )
    inspections: Connection[lazy.Inspection] = to_many(
        models.Enterprise.zone_id,
        "Inspections of its enterprises.",
        through=(models.Inspection.enterprise_id, models.Enterprise.id),
    )
    experts: Connection[lazy.Expert] = to_many(models.Expert.zone_id, "Experts in it.")
    teams: Connection[lazy.Team] = to_many(models.Team.zone_id, "Teams in it.")
    warehouses: Connection[lazy.Warehouse] = to_many(models.Warehouse.zone_id, "Warehouses in it.")
    warnings: Connection[lazy.Warning] = to_many(models.Warning.zone_id, "Warnings for it, newest first.")
    portrait: Portrait | None = portrait_of(portraits.of_zones, models.Zone.id)
    monthly_trend: list[PortraitMonth] | None = monthly_trend_of(monthly_trends.of_zones, models.Zone.id)
    rate_history: RateHistory | None = rate_history_of(usual_bands.rates_of_zones, models.Zone.id)
    usual_bands: UsualBands | None = usual_bands_of(usual_bands.of_zones, models.Zone.id)
    rainfall: Rainfall = batch(
        rainfall.of_zones,
        models.Zone.id,
        description="Rain on the zone over the last hours, by its readings.",
        arguments={"hours": "Hours up to now, 1 to 72."},
        cost=FieldCost(read=100),
    )
