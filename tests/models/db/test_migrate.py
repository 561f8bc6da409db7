"""A migrated database matches the models, however often and by however many processes it is migrated."""

import re
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlmodel import SQLModel

from models.db.database import Database
from models.db.migrate import migrate
from tests.conftest import Databases
from tests.support.released_processes import run_together, start_waiting

ROOT = Path(__file__).parents[3]
ALEMBIC = "alembic_version"

# Queries of PostgreSQL's catalogue.
CATALOGUE = {
    "columns": """
        SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, l.collname,
               pg_get_expr(d.adbin, d.adrelid)
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        LEFT JOIN pg_collation l ON l.oid = a.attcollation
        LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND a.attnum > 0""",
    "indexes": "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "constraints": """
        SELECT c.relname, k.conname, pg_get_constraintdef(k.oid)
        FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
        WHERE k.connamespace = 'public'::regnamespace""",
    "sequences": """
        SELECT sequencename, data_type::text, start_value, increment_by
        FROM pg_sequences WHERE schemaname = 'public'""",
    "others": """
        SELECT relname, relkind::text FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind NOT IN ('r', 'i', 'S')
        UNION ALL SELECT typname, 'enum' FROM pg_type WHERE typtype = 'e'
        UNION ALL SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal""",
}


async def schema_of(database: Database) -> dict[str, set[Any]]:
    """The tables, columns, indexes and constraints of a database, without Alembic's own table."""
    async with database.engine.connect() as connection:
        if not database.sqlite:
            rows_by_name = {name: set(await connection.execute(sa.text(sql))) for name, sql in CATALOGUE.items()}
            return {
                name: {tuple(r) for r in rows if not r[0].startswith(ALEMBIC)} for name, rows in rows_by_name.items()
            }
        objects = (await connection.execute(sa.text("SELECT type, name, tbl_name, sql FROM sqlite_master"))).all()
        tables = [o.name for o in objects if o.type == "table" and o.name not in (ALEMBIC, "sqlite_sequence")]
        result: dict[str, set[Any]] = {
            "objects": {(o.type, o.name, plain(o.sql)) for o in objects if o.tbl_name in tables}
        }
        for pragma in ("table_xinfo", "foreign_key_list"):
            result[pragma] = set()
            for table in tables:
                rows = await connection.execute(sa.text(f"PRAGMA {pragma}({table})"))
                # The first columns number the foreign keys in the order of their definition.
                result[pragma] |= {(table, *(r[2:] if pragma == "foreign_key_list" else r[1:])) for r in rows}
        return result


def plain(sql: str | None) -> Any:
    """The parts of a statement without their order, which differs between migrations and models."""
    lines = [] if sql is None else [line.strip().rstrip(",") for line in re.split(r", |\n", sql.replace('"', ""))]
    return frozenset(line for line in lines if line)


async def test_a_migrated_database_matches_the_models(databases: Databases, migrated_url: str) -> None:
    created, migrated = Database(await databases.new()), Database(await databases.new(migrated_url))
    async with created.write() as session:
        await (await session.connection()).run_sync(SQLModel.metadata.create_all)
    expected, actual = await schema_of(created), await schema_of(migrated)
    await created.close()
    await migrated.close()
    assert [name for name in expected if not expected[name]] in ([], ["others"])
    assert {name: actual[name] - expected[name] for name in expected if actual[name] - expected[name]} == {}
    assert {name: expected[name] - actual[name] for name in expected if expected[name] - actual[name]} == {}


async def test_migrating_again_changes_nothing(databases: Databases, migrated_url: str) -> None:
    database = Database(await databases.new(migrated_url))
    once = await schema_of(database)
    await migrate(database)
    assert await schema_of(database) == once
    await database.close()


async def test_two_processes_may_migrate_at_once(databases: Databases, migrated_url: str) -> None:
    url = await databases.new()
    source = (
        "import asyncio, sys; from models.db.database import Database; from models.db.migrate import migrate;"
        " sys.stdin.readline(); asyncio.run(migrate(Database(sys.argv[1])))"
    )
    running = [start_waiting(source, url) for _ in range(2)]
    await run_together(running)
    database, model = Database(url), Database(await databases.new(migrated_url))
    assert await schema_of(database) == await schema_of(model)
    async with database.read() as connection:
        assert (await connection.execute(sa.text(f"SELECT count(*) FROM {ALEMBIC}"))).scalar() == 1
    await database.close()
    await model.close()
