"""Imports run one way through the layers and never in a circle."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.support.source_files import CODE, LAYERS, ROOT, imported_files, imports, python_files, relative


def wrong_imports(layer: str, source: str) -> list[str]:
    """The faults of the imports of a file of this layer."""
    wrong = []
    for imported in imports(ast.parse(source)):
        if imported.module.startswith("."):
            # A relative import would hide which layer it reaches.
            wrong.append(f"{imported.line}: relative import {imported.module}")
        elif imported.package == "tests":
            wrong.append(f"{imported.line}: {imported.module}")
        elif imported.package in LAYERS:
            if LAYERS.index(imported.package) > LAYERS.index(layer):
                wrong.append(f"{imported.line}: {layer} must not import {imported.module}")
            elif imported.in_function:
                wrong.append(f"{imported.line}: {imported.module} is imported inside a function")
            elif imported.type_checking and (layer, imported.package) != ("schema", "schema"):
                wrong.append(f"{imported.line}: {imported.module} is imported for the type checker alone")
    return wrong


@pytest.mark.parametrize("layer", LAYERS)
def test_imports_run_one_way(layer: str) -> None:
    wrong = {relative(path): wrong_imports(layer, path.read_text("utf-8")) for path in python_files(layer)}
    assert {path: lines for path, lines in wrong.items() if lines} == {}


@pytest.mark.parametrize(
    ("layer", "source"),
    [
        ("models", "import resolvers.paging"),
        ("models", "from schema import ids"),
        ("resolvers", "def f():\n    from schema import ids"),
        ("resolvers", "def f():\n    from models import Zone"),
        ("resolvers", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from schema.zone import Zone"),
        ("resolvers", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from models import Zone"),
        ("schema", "import importlib\nimportlib.import_module('web.app')"),
        ("schema", "from tests.conftest import NOW"),
        ("schema", "from .zone import Zone"),
        ("subscriptions", "if True:\n    import resolvers"),
    ],
)
def test_a_wrong_import_is_reported(layer: str, source: str) -> None:
    assert len(wrong_imports(layer, source)) == 1


@pytest.mark.parametrize(
    ("layer", "source"),
    [
        ("web", "from schema.root import build\nimport models\nimport web.app"),
        ("schema", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from schema.zone import Zone"),
        ("resolvers", "from models import Zone\nimport orjson"),
    ],
)
def test_a_right_import_is_accepted(layer: str, source: str) -> None:
    assert wrong_imports(layer, source) == []


def circle(graph: dict[Path, set[Path]]) -> list[str]:
    """The files of one circle of imports; empty if there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [relative(path) for path in error.args[1]]
    return []


def test_runtime_imports_have_no_circle() -> None:
    assert circle({path: imported_files(path) for path in python_files(*CODE)}) == []


def test_the_planner_has_no_circle_of_types_either() -> None:
    """Elsewhere in the schema, `strawberry.lazy` references between graph types may point both ways."""
    assert circle({path: imported_files(path, type_checking=True) for path in python_files("schema/plan")}) == []


def test_a_circle_is_reported() -> None:
    one, other = ROOT / "one.py", ROOT / "other.py"
    assert circle({one: {other}, other: set()}) == []
    assert set(circle({one: {other}, other: {one}})) == {"one.py", "other.py"}


def test_test_modules_do_not_import_each_other() -> None:
    """Code that several test modules need belongs in tests/support."""
    shared = {
        relative(path): [relative(file) for file in imported_files(path) if file.name.startswith("test_")]
        for path in python_files("tests")
    }
    assert {path: files for path, files in shared.items() if files} == {}


def test_there_are_no_other_folders_of_code() -> None:
    folders = {path.name for path in ROOT.iterdir() if path.is_dir() and list(path.rglob("__init__.py"))}
    folders -= {name for name in folders if name.startswith(".")} | {"node_modules", "build", "var"}
    assert folders <= set(CODE)
