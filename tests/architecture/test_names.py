"""Names say what a thing is, every file says what it is for, and every test file says what it tests."""

import ast
from pathlib import Path

from tests.support.source_files import CODE, ROOT, python_files, relative, tree

SUFFIXES = ("Type", "Model", "Manager", "Helper", "Util", "Utils")
# Folders whose tests are about several modules at once.
FREE_FOLDERS = {"scenarios", "properties", "architecture", "docs", "hostile"}
# Test files about a whole package of code, below `tests` and beside the tests of its modules.
PACKAGE_TESTS = {
    "models/db/test_cancellation.py",
    "models/db/test_postgres_tls.py",
    "models/db/test_read_pools.py",
    "resolvers/actions/test_guards.py",
    "resolvers/actions/test_lifecycles.py",
    "resolvers/register/test_damage.py",
    "resolvers/register/test_guide.py",
    "resolvers/register/test_real.py",
    "resolvers/register/test_stopping.py",
    "schema/live/test_leak.py",
    "schema/live/test_permissions.py",
    "schema/test_contract.py",
    "web/auth/test_secrets.py",
    "web/cli/test_imports.py",
    "web/graphql/test_conditional.py",
    "web/graphql/test_deadlines.py",
    "web/graphql/test_failures.py",
    "web/graphql/test_openings.py",
    "web/graphql/test_slow_readers.py",
    "web/graphql/test_texts.py",
    "web/test_bundle.py",
    "web/test_clients.py",
    "web/test_deploy.py",
    "web/test_ending.py",
    "web/test_graphiql.py",
    "web/test_http_audits.py",
    "web/test_nginx.py",
    "web/test_serve.py",
    "web/test_zone.py",
    "web/ui/test_build.py",
    "web/ui/test_pages.py",
    "web/ui/test_story.py",
}


def test_no_class_is_named_for_its_kind() -> None:
    assert [
        f"{relative(path)}: {node.name}"
        for path in python_files(*CODE)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ClassDef) and node.name.endswith(SUFFIXES)
    ] == []


def test_every_file_has_a_docstring() -> None:
    assert [
        relative(path) for path in python_files(*CODE) if tree(path).body and not ast.get_docstring(tree(path))
    ] == []


def mirrors_a_module(path: Path) -> bool:
    """Whether `tests/a/test_b….py` is about the module, package or page `a/b`, or one whose name `b…` begins with."""
    folder = ROOT / path.parent.relative_to(ROOT / "tests")
    words = path.stem.removeprefix("test_").split("_")
    names = ["_".join(words[:count]) for count in range(1, len(words) + 1)]
    package = folder.name in names and folder != ROOT
    return package or any(
        (folder / f"{name}.py").exists()
        or (folder / name / "__init__.py").exists()
        or (folder / "src" / name / "index.html").exists()
        for name in names
    )


def test_every_test_file_mirrors_a_module_or_is_listed() -> None:
    files = [path for path in python_files("tests") if path.name.startswith("test_")]
    below = {path.relative_to(ROOT / "tests").as_posix() for path in files if not mirrors_a_module(path)}
    assert {path for path in below if path.split("/")[0] not in FREE_FOLDERS} == PACKAGE_TESTS


def test_every_folder_of_tests_mirrors_a_package() -> None:
    folders = {path.parent.relative_to(ROOT / "tests") for path in python_files("tests")}
    packages = {folder for folder in folders if folder.parts and folder.parts[0] not in {*FREE_FOLDERS, "support"}}
    kinds = ("__init__.py", "package.json")
    assert [
        str(folder) for folder in sorted(packages) if not any((ROOT / folder / kind).exists() for kind in kinds)
    ] == []


def test_no_identifier_is_vague() -> None:
    """`told` and `found` once named hundreds of different things."""
    vague = {
        (relative(path), node.lineno)
        for path in python_files(*CODE)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Name | ast.arg | ast.Attribute | ast.FunctionDef | ast.AsyncFunctionDef)
        and not {getattr(node, name, "") for name in ("id", "arg", "attr", "name")}.isdisjoint({"told", "found"})
    }
    assert vague == set()
