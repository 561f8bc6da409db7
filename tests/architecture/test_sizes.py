"""A file has at most 400 lines and a function at most 40, except those listed here with a reason."""

import ast
from collections.abc import Iterator

from tests.support.source_files import CODE, ROOT, python_files, relative, tree

FILE_LINES = 400
FUNCTION_LINES = 40

# "file" or "file: function" → why it is longer.
EXCEPTIONS = {
    "resolvers/sql/selects.py: pages": "One statement is built from first to last; its parts share every variable.",
}


def too_long() -> Iterator[str]:
    for path in python_files(*CODE):
        if path.read_text("utf-8").count("\n") > FILE_LINES:
            yield relative(path)
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno is not None
                if node.end_lineno - node.lineno + 1 > FUNCTION_LINES:
                    yield f"{relative(path)}: {node.name}"
    for path in (ROOT / "web" / "ui" / "src").rglob("*"):
        if path.is_file() and path.read_bytes().count(b"\n") > FILE_LINES:
            yield relative(path)


def test_files_and_functions_are_short_or_listed() -> None:
    assert set(too_long()) == set(EXCEPTIONS)


def test_every_exception_has_a_reason() -> None:
    assert [name for name, reason in EXCEPTIONS.items() if len(reason.split()) < 4] == []
