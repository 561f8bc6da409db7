"""Creates the tables of all nouns. It is long because it is one step, and a released migration does not change."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

UTC_TIME = sa.DateTime(timezone=True).with_variant(sa.String(length=32), "sqlite")
NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "district",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("name_en", sa.String(), nullable=True),
        sa.Column("area_code", sa.String(), nullable=True),
        sa.Column("time_zone", sa.String(), nullable=False),
        sa.Column("boundary", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_district"),
    )
    op.create_table(
        "evidence",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("media_type", sa.String(), nullable=False),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("taken_at", UTC_TIME, nullable=True),
        sa.CheckConstraint("bytes >= 0", name=op.f("ck_evidence_bytes")),
        sa.PrimaryKeyConstraint("id", name="pk_evidence"),
        sa.UniqueConstraint("sha256", name="uq_evidence_sha256"),
    )
    op.create_table(
        "zone",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("district_id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("name_en", sa.String(), nullable=True),
        sa.Column("focus", sa.JSON(), nullable=False),
        sa.Column("plan", sa.String(), nullable=False),
        sa.Column("boundary", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["district_id"], ["district.id"], name="fk_zone_district_id_district"),
        sa.PrimaryKeyConstraint("id", name="pk_zone"),
        sa.UniqueConstraint("code", name="uq_zone_code"),
    )
    op.create_index("ix_zone_district_id_id", "zone", ["district_id", "id"])
    op.create_table(
        "command_unit",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("district_id", sa.Integer(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum("OFFICE", "GROUP", "ZONE_HQ", name="kind", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("duties", sa.String(), nullable=False),
        sa.Column("lead_name", sa.String(), nullable=True),
        sa.Column("lead_phone", sa.String(), nullable=True),
        sa.Column("zone_id", sa.Integer(), nullable=True),
        sa.Column("members", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["district_id"], ["district.id"], name="fk_command_unit_district_id_district"),
        sa.ForeignKeyConstraint(["zone_id"], ["zone.id"], name="fk_command_unit_zone_id_zone"),
        sa.PrimaryKeyConstraint("id", name="pk_command_unit"),
        sa.UniqueConstraint("zone_id", name="uq_command_unit_zone_id"),
    )
    op.create_index("ix_command_unit_district_id_id", "command_unit", ["district_id", "id"])
    op.create_table(
        "expert",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("latitude", sa.Float(), nullable=True),
        sa.Column("longitude", sa.Float(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("full_name", sa.String(), nullable=False),
        sa.Column("phone", sa.String(), nullable=True),
        sa.Column("specialties", sa.JSON(), nullable=False),
        sa.Column("zone_id", sa.Integer(), nullable=True),
        sa.Column("on_standby", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "(latitude IS NULL) = (longitude IS NULL) AND latitude BETWEEN -90 AND 90 AND longitude BETWEEN -180 AND 180",
            name=op.f("ck_expert_location"),
        ),
        sa.ForeignKeyConstraint(["zone_id"], ["zone.id"], name="fk_expert_zone_id_zone"),
        sa.PrimaryKeyConstraint("id", name="pk_expert"),
    )
    op.create_index("ix_expert_latitude_longitude", "expert", ["latitude", "longitude"])
    op.create_index("ix_expert_zone_id_id", "expert", ["zone_id", "id"])
    op.create_table(
        "inspector",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("latitude", sa.Float(), nullable=True),
        sa.Column("longitude", sa.Float(), nullable=True),
        sa.Column("badge", sa.String(), nullable=False),
        sa.Column("full_name", sa.String(), nullable=False),
        sa.Column("phone", sa.String(), nullable=True),
        sa.Column("on_duty", sa.Boolean(), nullable=False),
        sa.Column("position_at", UTC_TIME, nullable=True),
        sa.Column("zone_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "(latitude IS NULL) = (longitude IS NULL) AND latitude BETWEEN -90 AND 90 AND longitude BETWEEN -180 AND 180",
            name=op.f("ck_inspector_location"),
        ),
        sa.ForeignKeyConstraint(["zone_id"], ["zone.id"], name="fk_inspector_zone_id_zone"),
        sa.PrimaryKeyConstraint("id", name="pk_inspector"),
        sa.UniqueConstraint("badge", name="uq_inspector_badge"),
    )
    op.create_index("ix_inspector_latitude_longitude", "inspector", ["latitude", "longitude"])
    op.create_index("ix_inspector_zone_id", "inspector", ["zone_id"])
    op.create_table(
        "team",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("latitude", sa.Float(), nullable=True),
        sa.Column("longitude", sa.Float(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "FIRE",
                "HAZMAT",
                "MEDICAL",
                "WATER_RESCUE",
                "ENGINEERING",
                "POWER",
                "SECURITY",
                "VOLUNTEER",
                name="kind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("strength", sa.Integer(), nullable=False),
        sa.Column("leader_name", sa.String(), nullable=True),
        sa.Column("leader_phone", sa.String(), nullable=True),
        sa.Column("zone_id", sa.Integer(), nullable=True),
        sa.Column("on_standby", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "(latitude IS NULL) = (longitude IS NULL) AND latitude BETWEEN -90 AND 90 AND longitude BETWEEN -180 AND 180",
            name=op.f("ck_team_location"),
        ),
        sa.CheckConstraint("strength >= 0", name=op.f("ck_team_strength")),
        sa.ForeignKeyConstraint(["zone_id"], ["zone.id"], name="fk_team_zone_id_zone"),
        sa.PrimaryKeyConstraint("id", name="pk_team"),
    )
    op.create_index("ix_team_latitude_longitude", "team", ["latitude", "longitude"])
    op.create_index("ix_team_zone_id_id", "team", ["zone_id", "id"])
    op.create_table(
        "town",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("latitude", sa.Float(), nullable=True),
        sa.Column("longitude", sa.Float(), nullable=True),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("name_en", sa.String(), nullable=True),
        sa.Column("zone_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "(latitude IS NULL) = (longitude IS NULL) AND latitude BETWEEN -90 AND 90 AND longitude BETWEEN -180 AND 180",
            name=op.f("ck_town_location"),
        ),
        sa.ForeignKeyConstraint(["zone_id"], ["zone.id"], name="fk_town_zone_id_zone"),
        sa.PrimaryKeyConstraint("id", name="pk_town"),
        sa.UniqueConstraint("code", name="uq_town_code"),
    )
    op.create_index("ix_town_zone_id_id", "town", ["zone_id", "id"])
    op.create_table(
        "venue",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("latitude", sa.Float(), nullable=True),
        sa.Column("longitude", sa.Float(), nullable=True),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("name_en", sa.String(), nullable=True),
        sa.Column(
            "kind",
            sa.Enum(
                "COMPETITION",
                "VILLAGE",
                "TRANSPORT",
                "OTHER",
                name="kind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("use", sa.String(), nullable=True),
        sa.Column("zone_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "(latitude IS NULL) = (longitude IS NULL) AND latitude BETWEEN -90 AND 90 AND longitude BETWEEN -180 AND 180",
            name=op.f("ck_venue_location"),
        ),
        sa.ForeignKeyConstraint(["zone_id"], ["zone.id"], name="fk_venue_zone_id_zone"),
        sa.PrimaryKeyConstraint("id", name="pk_venue"),
        sa.UniqueConstraint("code", name="uq_venue_code"),
    )
    op.create_index("ix_venue_latitude_longitude", "venue", ["latitude", "longitude"])
    op.create_index("ix_venue_zone_id_id", "venue", ["zone_id", "id"])
    op.create_table(
        "warehouse",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("latitude", sa.Float(), nullable=True),
        sa.Column("longitude", sa.Float(), nullable=True),
        sa.Column("name", NAME, nullable=False),
        sa.Column("keeper_name", sa.String(), nullable=True),
        sa.Column("keeper_phone", sa.String(), nullable=True),
        sa.Column("zone_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "(latitude IS NULL) = (longitude IS NULL) AND latitude BETWEEN -90 AND 90 AND longitude BETWEEN -180 AND 180",
            name=op.f("ck_warehouse_location"),
        ),
        sa.ForeignKeyConstraint(["zone_id"], ["zone.id"], name="fk_warehouse_zone_id_zone"),
        sa.PrimaryKeyConstraint("id", name="pk_warehouse"),
    )
    op.create_index("ix_warehouse_latitude_longitude", "warehouse", ["latitude", "longitude"])
    op.create_index("ix_warehouse_zone_id_id", "warehouse", ["zone_id", "id"])
    op.create_table(
        "warning",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("zone_id", sa.Integer(), nullable=True),
        sa.Column(
            "kind",
            sa.Enum(
                "RAINSTORM",
                "TYPHOON",
                "HEAT",
                "FIRE",
                "HAZMAT",
                "OTHER",
                name="kind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("level", sa.SmallInteger(), nullable=False),
        sa.Column("headline", sa.String(), nullable=False),
        sa.Column("issued_at", UTC_TIME, nullable=False),
        sa.Column("lifted_at", UTC_TIME, nullable=True),
        sa.Column("automatic", sa.Boolean(), nullable=False),
        sa.CheckConstraint("level BETWEEN 1 AND 4", name=op.f("ck_warning_level")),
        sa.ForeignKeyConstraint(["zone_id"], ["zone.id"], name="fk_warning_zone_id_zone"),
        sa.PrimaryKeyConstraint("id", name="pk_warning"),
    )
    op.create_index("ix_warning_issued_at_id", "warning", ["issued_at", "id"])
    op.create_index("ix_warning_zone_id_issued_at_id", "warning", ["zone_id", "issued_at", "id"])
    op.create_table(
        "control_ring",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("venue_id", sa.Integer(), nullable=False),
        sa.Column("grade", sa.SmallInteger(), nullable=False),
        sa.Column("radius_metres", sa.Integer(), nullable=False),
        sa.CheckConstraint("grade BETWEEN 1 AND 3", name=op.f("ck_control_ring_grade")),
        sa.CheckConstraint("radius_metres > 0", name=op.f("ck_control_ring_radius")),
        sa.ForeignKeyConstraint(["venue_id"], ["venue.id"], name="fk_control_ring_venue_id_venue"),
        sa.PrimaryKeyConstraint("id", name="pk_control_ring"),
        sa.UniqueConstraint("venue_id", "grade", name="uq_control_ring_venue_id_grade"),
    )
    op.create_table(
        "enterprise",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("latitude", sa.Float(), nullable=True),
        sa.Column("longitude", sa.Float(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("credit_code", sa.String(length=18), nullable=True),
        sa.Column("external_id", sa.String(), nullable=True),
        sa.Column("name", NAME, nullable=False),
        sa.Column("address", sa.String(), nullable=True),
        sa.Column("town_id", sa.Integer(), nullable=True),
        sa.Column("zone_id", sa.Integer(), nullable=True),
        sa.Column("risk_grade", sa.SmallInteger(), nullable=True),
        sa.Column("industry", sa.String(), nullable=True),
        sa.Column("hazardous_chemicals", sa.Boolean(), nullable=False),
        sa.Column("major_hazard_level", sa.SmallInteger(), nullable=True),
        sa.Column("legal_name", sa.String(), nullable=True),
        sa.Column("legal_phone", sa.String(), nullable=True),
        sa.Column("safety_name", sa.String(), nullable=True),
        sa.Column("safety_phone", sa.String(), nullable=True),
        sa.Column("open_hazards", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_inspected_at", UTC_TIME, nullable=True),
        sa.Column("updated_at", UTC_TIME, nullable=False),
        sa.CheckConstraint(
            "(latitude IS NULL) = (longitude IS NULL) AND latitude BETWEEN -90 AND 90 AND longitude BETWEEN -180 AND 180",
            name=op.f("ck_enterprise_location"),
        ),
        sa.CheckConstraint("major_hazard_level BETWEEN 1 AND 4", name=op.f("ck_enterprise_major_hazard_level")),
        sa.CheckConstraint("open_hazards >= 0", name=op.f("ck_enterprise_open_hazards")),
        sa.CheckConstraint("risk_grade BETWEEN 1 AND 4", name=op.f("ck_enterprise_risk_grade")),
        sa.ForeignKeyConstraint(["town_id"], ["town.id"], name="fk_enterprise_town_id_town"),
        sa.ForeignKeyConstraint(["zone_id"], ["zone.id"], name="fk_enterprise_zone_id_zone"),
        sa.PrimaryKeyConstraint("id", name="pk_enterprise"),
        sa.UniqueConstraint("credit_code", name="uq_enterprise_credit_code"),
        sa.UniqueConstraint("external_id", name="uq_enterprise_external_id"),
    )
    op.create_index("ix_enterprise_by_name", "enterprise", ["name", "id"])
    op.create_index("ix_enterprise_by_open_hazards", "enterprise", ["open_hazards", "id"])
    op.create_index("ix_enterprise_by_updated", "enterprise", ["updated_at", "id"])
    op.create_index("ix_enterprise_latitude_longitude", "enterprise", ["latitude", "longitude"])
    op.create_index("ix_enterprise_town_id_id", "enterprise", ["town_id", "id"])
    op.create_index("ix_enterprise_zone_by_name", "enterprise", ["zone_id", "name", "id"])
    op.create_index("ix_enterprise_zone_by_open_hazards", "enterprise", ["zone_id", "open_hazards", "id"])
    op.create_index("ix_enterprise_zone_by_updated", "enterprise", ["zone_id", "updated_at", "id"])
    op.create_index("ix_enterprise_zone_id_id", "enterprise", ["zone_id", "id"])
    op.create_table(
        "stock_item",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("warehouse_id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=7), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("reserved", sa.Integer(), nullable=False),
        sa.CheckConstraint("quantity >= 0 AND reserved BETWEEN 0 AND quantity", name=op.f("ck_stock_item_stock")),
        sa.ForeignKeyConstraint(["warehouse_id"], ["warehouse.id"], name="fk_stock_item_warehouse_id_warehouse"),
        sa.PrimaryKeyConstraint("id", name="pk_stock_item"),
        sa.UniqueConstraint("warehouse_id", "code", name="uq_stock_item_warehouse_id_code"),
    )
    op.create_index("ix_stock_item_code", "stock_item", ["code"])
    op.create_index("ix_stock_item_warehouse_id_id", "stock_item", ["warehouse_id", "id"])
    op.create_table(
        "camera",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("latitude", sa.Float(), nullable=True),
        sa.Column("longitude", sa.Float(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("device_id", sa.String(length=20), nullable=True),
        sa.Column("enterprise_id", sa.Integer(), nullable=True),
        sa.Column("venue_id", sa.Integer(), nullable=True),
        sa.Column("online", sa.Boolean(), nullable=False),
        sa.Column("stream_url", sa.String(), nullable=True),
        sa.CheckConstraint(
            "(latitude IS NULL) = (longitude IS NULL) AND latitude BETWEEN -90 AND 90 AND longitude BETWEEN -180 AND 180",
            name=op.f("ck_camera_location"),
        ),
        sa.ForeignKeyConstraint(["enterprise_id"], ["enterprise.id"], name="fk_camera_enterprise_id_enterprise"),
        sa.ForeignKeyConstraint(["venue_id"], ["venue.id"], name="fk_camera_venue_id_venue"),
        sa.PrimaryKeyConstraint("id", name="pk_camera"),
        sa.UniqueConstraint("device_id", name="uq_camera_device_id"),
    )
    op.create_index("ix_camera_enterprise_id_id", "camera", ["enterprise_id", "id"])
    op.create_index("ix_camera_latitude_longitude", "camera", ["latitude", "longitude"])
    op.create_index("ix_camera_venue_id_id", "camera", ["venue_id", "id"])
    op.create_table(
        "control_measure",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("enterprise_id", sa.Integer(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "ELIMINATION",
                "ENGINEERING",
                "ADMINISTRATIVE",
                "TRAINING",
                "PPE",
                "EMERGENCY",
                name="kind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("responsible_name", sa.String(), nullable=True),
        sa.Column("responsible_phone", sa.String(), nullable=True),
        sa.Column("since", sa.Date(), nullable=False),
        sa.Column("lifted_at", UTC_TIME, nullable=True),
        sa.ForeignKeyConstraint(
            ["enterprise_id"], ["enterprise.id"], name="fk_control_measure_enterprise_id_enterprise"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_control_measure"),
    )
    op.create_index("ix_control_measure_enterprise_id_id", "control_measure", ["enterprise_id", "id"])
    op.create_table(
        "dispatch",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "REQUESTED",
                "ASSIGNED",
                "ACKNOWLEDGED",
                "EN_ROUTE",
                "ON_SCENE",
                "COMPLETED",
                "RELEASED",
                "DECLINED",
                "CANCELLED",
                name="status",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("latitude", sa.Float(), nullable=False),
        sa.Column("longitude", sa.Float(), nullable=False),
        sa.Column("enterprise_id", sa.Integer(), nullable=True),
        sa.Column("venue_id", sa.Integer(), nullable=True),
        sa.Column("team_id", sa.Integer(), nullable=True),
        sa.Column("expert_id", sa.Integer(), nullable=True),
        sa.Column("stock_item_id", sa.Integer(), nullable=True),
        sa.Column("quantity", sa.Integer(), nullable=True),
        sa.Column("drawn", sa.Integer(), nullable=True),
        sa.Column("requested_at", UTC_TIME, nullable=False),
        sa.Column("arrived_at", UTC_TIME, nullable=True),
        sa.Column("completed_at", UTC_TIME, nullable=True),
        sa.CheckConstraint(
            "(CASE WHEN team_id IS NULL THEN 0 ELSE 1 END) + (CASE WHEN expert_id IS NULL THEN 0 ELSE 1 END) + (CASE WHEN stock_item_id IS NULL THEN 0 ELSE 1 END) <= 1",
            name=op.f("ck_dispatch_resource"),
        ),
        sa.CheckConstraint(
            "(quantity IS NULL) = (stock_item_id IS NULL) AND quantity > 0", name=op.f("ck_dispatch_quantity")
        ),
        sa.CheckConstraint("drawn BETWEEN 0 AND quantity", name=op.f("ck_dispatch_drawn")),
        sa.CheckConstraint(
            "latitude BETWEEN -90 AND 90 AND longitude BETWEEN -180 AND 180", name=op.f("ck_dispatch_location")
        ),
        sa.ForeignKeyConstraint(["enterprise_id"], ["enterprise.id"], name="fk_dispatch_enterprise_id_enterprise"),
        sa.ForeignKeyConstraint(["expert_id"], ["expert.id"], name="fk_dispatch_expert_id_expert"),
        sa.ForeignKeyConstraint(["stock_item_id"], ["stock_item.id"], name="fk_dispatch_stock_item_id_stock_item"),
        sa.ForeignKeyConstraint(["team_id"], ["team.id"], name="fk_dispatch_team_id_team"),
        sa.ForeignKeyConstraint(["venue_id"], ["venue.id"], name="fk_dispatch_venue_id_venue"),
        sa.PrimaryKeyConstraint("id", name="pk_dispatch"),
    )
    op.create_index("ix_dispatch_enterprise_id_id", "dispatch", ["enterprise_id", "id"])
    op.create_index("ix_dispatch_expert_id_id", "dispatch", ["expert_id", "id"])
    op.create_index("ix_dispatch_status_id", "dispatch", ["status", "id"])
    op.create_index("ix_dispatch_stock_item_id_id", "dispatch", ["stock_item_id", "id"])
    op.create_index("ix_dispatch_team_id_id", "dispatch", ["team_id", "id"])
    op.create_index("ix_dispatch_venue_id_id", "dispatch", ["venue_id", "id"])
    op.create_table(
        "duty_report",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("enterprise_id", sa.Integer(), nullable=False),
        sa.Column("at", UTC_TIME, nullable=False),
        sa.Column("measures_in_place", sa.String(), nullable=False),
        sa.Column("supplies", sa.String(), nullable=False),
        sa.Column("experts_on_standby", sa.Integer(), nullable=False),
        sa.CheckConstraint("experts_on_standby >= 0", name=op.f("ck_duty_report_experts")),
        sa.ForeignKeyConstraint(["enterprise_id"], ["enterprise.id"], name="fk_duty_report_enterprise_id_enterprise"),
        sa.PrimaryKeyConstraint("id", name="pk_duty_report"),
    )
    op.create_index("ix_duty_report_enterprise_id_id", "duty_report", ["enterprise_id", "id"])
    op.create_table(
        "enterprise_ring",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ring_id", sa.Integer(), nullable=False),
        sa.Column("enterprise_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["enterprise_id"], ["enterprise.id"], name="fk_enterprise_ring_enterprise_id_enterprise"
        ),
        sa.ForeignKeyConstraint(["ring_id"], ["control_ring.id"], name="fk_enterprise_ring_ring_id_control_ring"),
        sa.PrimaryKeyConstraint("id", name="pk_enterprise_ring"),
        sa.UniqueConstraint("ring_id", "enterprise_id", name="uq_enterprise_ring_ring_id_enterprise_id"),
    )
    op.create_index("ix_enterprise_ring_enterprise_id_ring_id", "enterprise_ring", ["enterprise_id", "ring_id"])
    op.create_table(
        "assistance_request",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("enterprise_id", sa.Integer(), nullable=False),
        sa.Column("duty_report_id", sa.Integer(), nullable=True),
        sa.Column("problem", sa.String(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "OPEN",
                "DISPATCHED",
                "RESOLVED",
                "WITHDRAWN",
                name="status",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("resolution", sa.String(), nullable=True),
        sa.Column("requested_at", UTC_TIME, nullable=False),
        sa.Column("resolved_at", UTC_TIME, nullable=True),
        sa.ForeignKeyConstraint(
            ["duty_report_id"], ["duty_report.id"], name="fk_assistance_request_duty_report_id_duty_report"
        ),
        sa.ForeignKeyConstraint(
            ["enterprise_id"], ["enterprise.id"], name="fk_assistance_request_enterprise_id_enterprise"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_assistance_request"),
    )
    op.create_index("ix_assistance_request_duty_report_id_id", "assistance_request", ["duty_report_id", "id"])
    op.create_index("ix_assistance_request_enterprise_id_id", "assistance_request", ["enterprise_id", "id"])
    op.create_index("ix_assistance_request_status_id", "assistance_request", ["status", "id"])
    op.create_table(
        "inspection",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("enterprise_id", sa.Integer(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "ROUTINE",
                "SPECIAL",
                "ASSISTANCE",
                "REINSPECTION",
                "COMPLAINT",
                name="kind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "status",
            sa.Enum(
                "PLANNED",
                "DISPATCHED",
                "ACKNOWLEDGED",
                "EN_ROUTE",
                "ON_SITE",
                "SUBMITTED",
                "IN_REVIEW",
                "CLOSED",
                "CANCELLED",
                name="status",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "result",
            sa.Enum(
                "PASS",
                "HAZARDS_FOUND",
                "REFUSED",
                "NOT_OPERATING",
                "NOT_APPLICABLE",
                name="result",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=True,
        ),
        sa.Column("planned_for", UTC_TIME, nullable=True),
        sa.Column("dispatched_at", UTC_TIME, nullable=True),
        sa.Column("acknowledged_at", UTC_TIME, nullable=True),
        sa.Column("departed_at", UTC_TIME, nullable=True),
        sa.Column("arrived_at", UTC_TIME, nullable=True),
        sa.Column("submitted_at", UTC_TIME, nullable=True),
        sa.Column("closed_at", UTC_TIME, nullable=True),
        sa.Column("summary", sa.String(), nullable=True),
        sa.Column("reinspection_of_id", sa.Integer(), nullable=True),
        sa.Column("assistance_request_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["assistance_request_id"],
            ["assistance_request.id"],
            name="fk_inspection_assistance_request_id_assistance_request",
        ),
        sa.ForeignKeyConstraint(["enterprise_id"], ["enterprise.id"], name="fk_inspection_enterprise_id_enterprise"),
        sa.ForeignKeyConstraint(
            ["reinspection_of_id"], ["inspection.id"], name="fk_inspection_reinspection_of_id_inspection"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_inspection"),
    )
    op.create_index("ix_inspection_assistance_request_id", "inspection", ["assistance_request_id"])
    op.create_index("ix_inspection_reinspection_of_id", "inspection", ["reinspection_of_id"])
    op.create_index("ix_inspection_status_enterprise_id", "inspection", ["status", "enterprise_id"])
    op.create_table(
        "case_filing",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("number", sa.String(), nullable=True),
        sa.Column("inspection_id", sa.Integer(), nullable=False),
        sa.Column("enterprise_id", sa.Integer(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "PROPOSED",
                "FILED",
                "NOT_FILED",
                "INVESTIGATING",
                "NOTIFIED",
                "HEARING",
                "DECIDED",
                "NO_PENALTY",
                "TRANSFERRED",
                "WITHDRAWN",
                "EXECUTING",
                "CLOSED",
                name="status",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("grounds", sa.String(), nullable=False),
        sa.Column("penalty_kinds", sa.JSON(), nullable=True),
        sa.Column("fine_yuan", sa.Integer(), nullable=True),
        sa.Column("filed_at", UTC_TIME, nullable=True),
        sa.Column("decided_at", UTC_TIME, nullable=True),
        sa.Column("closed_at", UTC_TIME, nullable=True),
        sa.CheckConstraint("fine_yuan >= 0", name=op.f("ck_case_filing_fine")),
        sa.ForeignKeyConstraint(["enterprise_id"], ["enterprise.id"], name="fk_case_filing_enterprise_id_enterprise"),
        sa.ForeignKeyConstraint(["inspection_id"], ["inspection.id"], name="fk_case_filing_inspection_id_inspection"),
        sa.PrimaryKeyConstraint("id", name="pk_case_filing"),
        sa.UniqueConstraint("number", name="uq_case_filing_number"),
    )
    op.create_index("ix_case_filing_enterprise_id_id", "case_filing", ["enterprise_id", "id"])
    op.create_index("ix_case_filing_inspection_id_id", "case_filing", ["inspection_id", "id"])
    op.create_index("ix_case_filing_status_id", "case_filing", ["status", "id"])
    op.create_table(
        "hazard",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("enterprise_id", sa.Integer(), nullable=False),
        sa.Column("inspection_id", sa.Integer(), nullable=True),
        sa.Column("level", sa.SmallInteger(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "FOUND",
                "UNDER_REVIEW",
                "ASSIGNED",
                "RECTIFYING",
                "PENDING_ACCEPTANCE",
                "ACCEPTED",
                "CLOSED",
                "DISMISSED",
                name="status",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("category", sa.String(), nullable=True),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("found_at", UTC_TIME, nullable=False),
        sa.Column("deadline", UTC_TIME, nullable=True),
        sa.Column("rectified_at", UTC_TIME, nullable=True),
        sa.Column("accepted_at", UTC_TIME, nullable=True),
        sa.Column("closed_at", UTC_TIME, nullable=True),
        sa.Column("owner_name", sa.String(), nullable=True),
        sa.Column("owner_phone", sa.String(), nullable=True),
        sa.Column("fix_responsibility", sa.String(), nullable=True),
        sa.Column("fix_measures", sa.String(), nullable=True),
        sa.Column("fix_funds", sa.String(), nullable=True),
        sa.Column("fix_deadline", UTC_TIME, nullable=True),
        sa.Column("fix_contingency_plan", sa.String(), nullable=True),
        sa.Column("rectification", sa.String(), nullable=True),
        sa.CheckConstraint("(status = 'CLOSED') = (closed_at IS NOT NULL)", name=op.f("ck_hazard_closed")),
        sa.CheckConstraint("level BETWEEN 1 AND 2", name=op.f("ck_hazard_level")),
        sa.ForeignKeyConstraint(["enterprise_id"], ["enterprise.id"], name="fk_hazard_enterprise_id_enterprise"),
        sa.ForeignKeyConstraint(["inspection_id"], ["inspection.id"], name="fk_hazard_inspection_id_inspection"),
        sa.PrimaryKeyConstraint("id", name="pk_hazard"),
    )
    op.create_index("ix_hazard_by_found", "hazard", ["found_at", "id"])
    op.create_index("ix_hazard_by_level", "hazard", ["level", "id"])
    op.create_index("ix_hazard_enterprise_by_found", "hazard", ["enterprise_id", "found_at", "id"])
    op.create_index("ix_hazard_enterprise_by_level", "hazard", ["enterprise_id", "level", "id"])
    op.create_index("ix_hazard_enterprise_status", "hazard", ["enterprise_id", "status", "deadline"])
    op.create_index("ix_hazard_inspection_by_found", "hazard", ["inspection_id", "found_at", "id"])
    op.create_index("ix_hazard_status", "hazard", ["status", "enterprise_id"])
    op.create_table(
        "inspection_evidence",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("inspection_id", sa.Integer(), nullable=False),
        sa.Column("evidence_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["evidence_id"], ["evidence.id"], name="fk_inspection_evidence_evidence_id_evidence"),
        sa.ForeignKeyConstraint(
            ["inspection_id"], ["inspection.id"], name="fk_inspection_evidence_inspection_id_inspection"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_inspection_evidence"),
        sa.UniqueConstraint("inspection_id", "evidence_id", name="uq_inspection_evidence_inspection_id_evidence_id"),
    )
    op.create_index("ix_inspection_evidence_evidence_id", "inspection_evidence", ["evidence_id"])
    op.create_table(
        "inspection_inspector",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("inspection_id", sa.Integer(), nullable=False),
        sa.Column("inspector_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["inspection_id"], ["inspection.id"], name="fk_inspection_inspector_inspection_id_inspection"
        ),
        sa.ForeignKeyConstraint(
            ["inspector_id"], ["inspector.id"], name="fk_inspection_inspector_inspector_id_inspector"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_inspection_inspector"),
        sa.UniqueConstraint("inspection_id", "inspector_id", name="uq_inspection_inspector_inspection_id_inspector_id"),
    )
    op.create_index(
        "ix_inspection_inspector_inspector_id_inspection_id", "inspection_inspector", ["inspector_id", "inspection_id"]
    )
    op.create_table(
        "deadline_extension",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("hazard_id", sa.Integer(), nullable=False),
        sa.Column("from_deadline", UTC_TIME, nullable=False),
        sa.Column("to_deadline", UTC_TIME, nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "REQUESTED", "APPROVED", "REFUSED", name="status", native_enum=False, create_constraint=True, length=32
            ),
            nullable=False,
        ),
        sa.Column("requested_at", UTC_TIME, nullable=False),
        sa.Column("decided_at", UTC_TIME, nullable=True),
        sa.ForeignKeyConstraint(["hazard_id"], ["hazard.id"], name="fk_deadline_extension_hazard_id_hazard"),
        sa.PrimaryKeyConstraint("id", name="pk_deadline_extension"),
    )
    op.create_index("ix_deadline_extension_hazard_id_id", "deadline_extension", ["hazard_id", "id"])
    op.create_table(
        "hazard_evidence",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("hazard_id", sa.Integer(), nullable=False),
        sa.Column("evidence_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["evidence_id"], ["evidence.id"], name="fk_hazard_evidence_evidence_id_evidence"),
        sa.ForeignKeyConstraint(["hazard_id"], ["hazard.id"], name="fk_hazard_evidence_hazard_id_hazard"),
        sa.PrimaryKeyConstraint("id", name="pk_hazard_evidence"),
        sa.UniqueConstraint("hazard_id", "evidence_id", name="uq_hazard_evidence_hazard_id_evidence_id"),
    )
    op.create_index("ix_hazard_evidence_evidence_id", "hazard_evidence", ["evidence_id"])
    op.create_index(
        "ix_enterprise_by_last_inspected",
        "enterprise",
        [sa.text("coalesce(last_inspected_at, '0001-01-01T00:00:00.000000+00:00')"), "id"],
    )
    op.create_index("ix_enterprise_by_risk", "enterprise", [sa.text("coalesce(risk_grade, 0)"), "id"])
    op.create_index(
        "ix_enterprise_zone_by_last_inspected",
        "enterprise",
        ["zone_id", sa.text("coalesce(last_inspected_at, '0001-01-01T00:00:00.000000+00:00')"), "id"],
    )
    op.create_index("ix_enterprise_zone_by_risk", "enterprise", ["zone_id", sa.text("coalesce(risk_grade, 0)"), "id"])
    op.create_index(
        "ix_inspection_by_planned",
        "inspection",
        [sa.text("coalesce(planned_for, '0001-01-01T00:00:00.000000+00:00')"), "id"],
    )
    op.create_index(
        "ix_inspection_by_submitted",
        "inspection",
        [sa.text("coalesce(submitted_at, '0001-01-01T00:00:00.000000+00:00')"), "id"],
    )
    op.create_index(
        "ix_inspection_enterprise_by_planned",
        "inspection",
        ["enterprise_id", sa.text("coalesce(planned_for, '0001-01-01T00:00:00.000000+00:00')"), "id"],
    )
    op.create_index(
        "ix_inspection_enterprise_by_submitted",
        "inspection",
        ["enterprise_id", sa.text("coalesce(submitted_at, '0001-01-01T00:00:00.000000+00:00')"), "id"],
    )
    op.create_index(
        "ix_hazard_by_deadline", "hazard", [sa.text("coalesce(deadline, '9999-12-31T00:00:00.000000+00:00')"), "id"]
    )
    op.create_index(
        "ix_hazard_enterprise_by_deadline",
        "hazard",
        ["enterprise_id", sa.text("coalesce(deadline, '9999-12-31T00:00:00.000000+00:00')"), "id"],
    )


def downgrade() -> None:
    op.drop_table("hazard_evidence")
    op.drop_table("deadline_extension")
    op.drop_table("inspection_inspector")
    op.drop_table("inspection_evidence")
    op.drop_table("hazard")
    op.drop_table("case_filing")
    op.drop_table("inspection")
    op.drop_table("assistance_request")
    op.drop_table("enterprise_ring")
    op.drop_table("duty_report")
    op.drop_table("dispatch")
    op.drop_table("control_measure")
    op.drop_table("camera")
    op.drop_table("stock_item")
    op.drop_table("enterprise")
    op.drop_table("control_ring")
    op.drop_table("warning")
    op.drop_table("warehouse")
    op.drop_table("venue")
    op.drop_table("town")
    op.drop_table("team")
    op.drop_table("inspector")
    op.drop_table("expert")
    op.drop_table("command_unit")
    op.drop_table("zone")
    op.drop_table("evidence")
    op.drop_table("district")
