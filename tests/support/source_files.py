"""The repository's Python files as syntax trees: their imports, functions and classes."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
LAYERS = ("models", "subscriptions", "resolvers", "schema", "web")  # each may import itself and those before it
CODE = (*LAYERS, "tests", "bench")


@dataclass(frozen=True)
class Import:
    """One import: the module's name, and `names` where it reads `from module import names`."""

    module: str
    names: tuple[str, ...]
    line: int
    in_function: bool
    type_checking: bool

    @property
    def package(self) -> str:
        return self.module.split(".")[0]


@cache
def python_files(*folders: str) -> tuple[Path, ...]:
    return tuple(
        path
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*.py"))
        if not {"node_modules", "versions"} & set(path.parts)
    )


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(node: ast.AST, in_function: bool = False, type_checking: bool = False) -> Iterator[Import]:
    """Every import below a node, however deeply nested, and calls of `import_module`; relative ones keep their dots."""
    for child in ast.iter_child_nodes(node):
        inside = in_function or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        if isinstance(child, ast.Import):
            yield from (Import(alias.name, (), child.lineno, inside, type_checking) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            names = tuple(alias.name for alias in child.names)
            yield Import("." * child.level + (child.module or ""), names, child.lineno, inside, type_checking)
        elif isinstance(child, ast.Call) and _name(child.func) in {"import_module", "__import__"} and child.args:
            argument = child.args[0]
            module = str(argument.value) if isinstance(argument, ast.Constant) else "?"
            yield Import(module, (), child.lineno, True, type_checking)
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            yield from imports(ast.Module(child.body, []), inside, True)
            yield from imports(ast.Module(child.orelse, []), inside, type_checking)
        else:
            yield from imports(child, inside, type_checking)


def imported_files(path: Path, *, type_checking: bool = False) -> set[Path]:
    """The files of the repository that a file imports at run time, or with `type_checking` for the checker too."""
    files, names = _files_by_module(), set[str]()
    for imported in imports(tree(path)):
        if not imported.in_function and (type_checking or not imported.type_checking):
            # `from package import name` reads the module of that name where there is one, or else the package itself.
            modules = [f"{imported.module}.{name}" for name in imported.names]
            names |= {module if module in files else imported.module for module in modules} or {imported.module}
    return {files[name] for name in names if name in files} - {path}


@cache
def _files_by_module() -> dict[str, Path]:
    return {module_name(path): path for path in python_files(*CODE)}


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
