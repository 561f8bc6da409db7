"""A mapping is checked before any row is read, and its mistakes are reported with their lines."""

from pathlib import Path

import pytest

from resolvers.register import MappingError, load_mapping, parse_mapping
from resolvers.register.check_mapping import KINDS_OF_OPTION
from resolvers.register.line_numbers import LineNumbers
from resolvers.register.mapping import DistrictMapping, FieldMapping, FileMapping, Mapping
from resolvers.register.tables import TABLES, Kind
from tests.support.register_runs import MAPPING
from web.settings import ROOT

GOOD = """[district]
name = "D"

[enterprises]
file = "e.csv"
[enterprises.fields]
external_id = "id"
name = "name"
risk_grade = { column = "risk", values = { high = "RED" } }

[inspections]
file = "i.csv"
[inspections.fields]
external_id = "id"
enterprise = "enterprise"
kind = { constant = "ROUTINE" }
status = { constant = "SUBMITTED" }
submitted_at = "date"

[[hazards]]
file = "h1.csv"
[hazards.fields]
external_id = "id"
inspection = "inspection"
enterprise = { from = "inspection.enterprise" }
level = { column = "level", default = "GENERAL" }
status = { column = "status", values = { open = "FOUND", done = "CLOSED" } }
description = "what"
found_at = { from = "inspection.submitted_at" }
closed_at = { column = "closed", format = "%d.%m.%Y", when = { status = "CLOSED" } }

[[hazards]]
file = "h2.csv"
[hazards.fields]
external_id = "id"
enterprise = "enterprise"
level = "level"
status = "status"
description = "what"
found_at = "found"
"""

BAD = [
    # the text to replace, its replacement, and the line and a part of the mistake that is reported
    ('name = "D"', "name = D", 2, "not TOML"),
    ('name = "D"', 'nam = "D"', 1, "district.name: is missing"),
    ('name = "D"', 'nam = "D"', 2, "district.nam: is not a key of a mapping"),
    ('name = "D"', 'name = "D"\ntime_zone = "China/Beijing"', 3, "not the IANA name of a time zone"),
    ('name = "D"', 'name = "D"\nbounds = [121, 30, 120, 31]', 3, "west, south, east and north"),
    ('name = "D"', 'name = "D"\nboundary = "../d.geojson"', 3, "must be a path inside the import directory"),
    ("[district]", 'encoding = "latin-1"\n[district]', 1, "encoding: "),
    ("[district]", 'datum = "bd9"\n[district]', 1, "must be wgs84, gcj02, bd09, cgcs2000, or EPSG"),
    ("[district]", 'datum = "EPSG:3857"\n[district]', 1, "must be wgs84, gcj02, bd09, cgcs2000, or EPSG"),
    ("[district]", 'dates = "soon"\n[district]', 1, "not a date format"),
    ("[enterprises]", "[factories]", 4, "factories: is not a key of a mapping"),
    ('file = "e.csv"', 'file = "e.pdf"', 4, "enterprises.format: cannot be inferred from the file name"),
    ('file = "e.csv"', 'file = "/etc/e.csv"', 5, "must be a path inside the import directory"),
    ('file = "e.csv"', 'file = "e.csv"\nsheet = "S"', 6, "applies only to spreadsheets"),
    ('file = "e.csv"', 'file = "e.csv"\nkey = "name"', 6, "identified by credit_code, external_id, not by name"),
    ('file = "e.csv"', 'file = "e.csv"\nkey = "credit_code"', 6, "credit_code is not among the fields"),
    ('external_id = "id"\nname', "name", 6, "identified by credit_code / external_id, which is not among"),
    ('external_id = "id"\nname = "name"', 'external_id = "id"', 6, "enterprises need name"),
    ('name = "name"', 'nmae = "name"', 8, "enterprises have no such field, only credit_code, external_id, name"),
    ('name = "name"', 'name = "name"\nopen_hazards = "n"', 9, "enterprises have no such field"),
    ('name = "name"', 'name = { default = "x" }', 8, "it has none"),
    ('name = "name"', 'name = { column = "a", constant = "x" }', 8, "it has column, constant"),
    ('name = "name"', 'name = "$geometry"', 8, "$geometry does not apply to text"),
    ('name = "name"', 'name = { column = "a", by = "code" }', 8, "name.by: does not apply to text"),
    ('name = "name"', 'name = { latitude = "a", longitude = "b" }', 8, "coordinates do not apply to text"),
    ('name = "name"', 'name = "name"\npoint = { latitude = "a" }', 9, "needs latitude, longitude"),
    ('name = "name"', 'name = "name"\npoint = "a"', 9, "a point needs latitude and longitude"),
    ('name = "name"', 'name = "name"\npoint = "$geometry"', 9, "$geometry applies only to GeoJSON files"),
    (
        'name = "name"',
        'name = "name"\npoint = { easting = "a", northing = "b" }',
        9,
        "easting and northing need EPSG:…",
    ),
    (
        'values = { high = "RED" }',
        'values = { high = "PURPLE" }',
        9,
        "values.high: not one of BLUE, YELLOW, ORANGE, RED",
    ),
    ('column = "risk"', 'columns = ["a"], template = "{b}"', 9, "it has columns, template"),
    ('column = "risk"', 'column = "risk", separator = "-"', 9, "separator: needs columns"),
    ('file = "e.csv"', 'file = "e.xlsx"\ndelimiter = ";"', 6, "delimiter: applies only to csv files"),
    ('column = "risk"', 'template = "x"', 9, "template: names no column"),
    ('column = "risk"', 'column = "risk", pattern = "(a"', 9, "pattern: not a regular expression of RE2: missing )"),
    ('column = "risk"', 'column = "risk", round = "up"', 9, "round: does not apply to one of a list of values"),
    (
        'column = "risk"',
        'constant = "RED", pattern = "."',
        9,
        "pattern: applies only to a value that comes from columns",
    ),
    ('values = { high = "RED" }', 'ranges = { "1..2" = "RED", "1.5.." = "BLUE" }', 9, "ranges: overlap"),
    ('values = { high = "RED" }', 'ranges = { "2..1" = "RED" }', 9, "ranges.2..1: an interval that holds no number"),
    ('values = { high = "RED" }', 'ranges = { "low" = "RED" }', 9, "ranges.low: not an interval such as 60..80"),
    ('values = { high = "RED" }', 'ranges = { "1.." = "PURPLE" }', 9, "ranges.1..: not one of BLUE"),
    (
        '"id"\nname',
        '{ column = "id", only_new = true }\nname',
        7,
        "is a key, which can have none of from, when and only_new",
    ),
    ('file = "e.csv"', 'file = "e.csv"\nskip = { "$row" = "1" }', 6, "skip.$row: applies to columns, not to this"),
    ('file = "e.csv"', 'file = "e.csv"\nmissing = "retire"', 6, "missing: needs register, a name by which"),
    ('file = "e.csv"', 'file = "e.csv"\nregister = "r"', 6, 'register: applies only with missing = "retire"'),
    ('file = "i.csv"', 'file = "i.csv"\nmissing = "retire"', 13, "missing: only enterprises can be retired"),
    ('values = { high = "RED" }', 'default = "red"', 9, "default: not one of BLUE"),
    ('constant = "ROUTINE"', 'constant = "ROUTIN"', 16, "kind.constant: not one of ROUTINE"),
    ('enterprise = "enterprise"\nkind', 'enterprise = { column = "e", by = "name" }\nkind', 15, "not by name"),
    (
        'from = "inspection.enterprise"',
        'from = "inspection.kind"',
        25,
        "inspections have no field kind that holds a reference to a row",
    ),
    (
        'from = "inspection.enterprise"',
        'from = "visit.enterprise"',
        25,
        "visit is not a mapped field that refers to a row",
    ),
    (
        'from = "inspection.submitted_at"',
        'from = "inspection.at"',
        29,
        "inspections have no field at that holds a time",
    ),
    ('"%d.%m.%Y"', '"%d.%m"', 30, "not a date format"),
    ('status = "CLOSED" }', 'found_at = "2023" }', 30, "when.found_at: must be a mapped field without from and when"),
    ('level = "level"\nstatus = "status"', 'level = "level"', 34, "hazards need status"),
    (
        'found_at = "found"',
        'found_at = { column = "found", values = { a = "b" } }',
        40,
        "values: does not apply to a time",
    ),
    ("[enterprises]", "[[enterprises]]\n[enterprises]", 5, "not TOML"),
]


def test_a_valid_mapping_is_accepted() -> None:
    mapping = parse_mapping(GOOD)
    assert {name: len(sheets) for name, sheets in mapping.files.items()} == {
        "enterprises": 1,
        "inspections": 1,
        "hazards": 2,
    }
    assert load_mapping(MAPPING).district.name == "San Mateo County"


@pytest.mark.parametrize(("old", "new", "line", "reason"), BAD, ids=lambda value: str(value)[:30])
def test_a_mistake_is_reported_with_its_line(old: str, new: str, line: int, reason: str) -> None:
    assert old in GOOD
    with pytest.raises(MappingError) as caught:
        parse_mapping(GOOD.replace(old, new, 1))
    mistakes = [(mistake.line, str(mistake)) for mistake in caught.value.mistakes]
    assert any(at == line and reason in text for at, text in mistakes), mistakes


def test_all_mistakes_are_reported_at_once_sorted_by_line() -> None:
    text = GOOD.replace('name = "name"', 'nmae = "name"').replace('"ROUTINE"', '"R"').replace('"what"', '"$geometry"')
    with pytest.raises(MappingError) as caught:
        parse_mapping(text)
    assert [mistake.line for mistake in caught.value.mistakes] == [6, 8, 16, 28, 39]
    assert str(caught.value).splitlines()[1].startswith("line 8: enterprises.fields.nmae: ")


def test_a_file_that_is_not_a_mapping_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match="line 1: No such file"):
        load_mapping(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(MappingError, match="line 1: not UTF-8"):
        load_mapping(tmp_path / "bad.toml")
    with pytest.raises(MappingError, match="district: is missing"):
        parse_mapping("")
    with pytest.raises(MappingError, match="has no table; the tables are zones, towns"):
        parse_mapping('[district]\nname = "D"\n')


def test_line_numbers_of_keys_in_every_notation() -> None:
    lines = LineNumbers('a = """\nx = 1\n"""\n# c\n[b."c.d"]\ne.f = [\n  1,\n]\n[[g]]\n[[g]]\nh = { i = { j = 1 } }\n')
    wanted = {("a",): 1, ("b", "c.d"): 5, ("b", "c.d", "e", "f"): 6, ("g", 0): 9, ("g", 1): 10}
    wanted |= {("g", 1, "h", "i", "j"): 11, ("g", 1, "nothing"): 10, ("nothing",): 1}
    assert {path: lines.line_of(path) for path in wanted} == wanted


def test_the_guide_names_every_table_field_and_option() -> None:
    text = (ROOT / "docs" / "guides" / "register.md").read_text("utf-8")
    for table in TABLES.values():
        keys = (" with " if table.composite else " or ").join(f"`{key}`" for key in table.keys)
        fields = ", ".join(f"**`{f.name}`**" if f.required else f"`{f.name}`" for f in table.fields.values())
        assert f"| `{table.name}` | {keys} | {fields} |" in text
        for field in table.fields.values():
            if field.members is not None:
                members = ", ".join(f"`{member}`" for member in field.members.__members__)
                assert f"| `{field.name}` of `{table.name}` | {members} |" in text
    for option, kinds in KINDS_OF_OPTION.items():
        others = [kind.value for kind in Kind if kind not in kinds]
        shown = f"all but {', '.join(others)}" if len(others) < len(kinds) else ", ".join(k.value for k in kinds)
        assert f"| `{option}` | {shown} |" in text
    options = {
        *FieldMapping.model_fields,
        *FileMapping.model_fields,
        *DistrictMapping.model_fields,
        *Mapping.model_fields,
    } - {
        "from_",
        "register_",
        "files",
    }
    assert {name for name in options if f"`{name}`" not in text and f"`[{name}]`" not in text} == {"fields"}
