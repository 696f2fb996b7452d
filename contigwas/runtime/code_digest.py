"""A digest of the code that a job runs: editing a statement reruns the job, editing prose does not.

Snakemake would go by the modification time of scripts, which a new clone changes. The rules pass this digest as a param
instead. It covers the script of the rule and the files of this library that the script imports, directly or not.
"""

import ast
from collections.abc import Iterator
from functools import cache
from hashlib import blake2b
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
DATA = ("*.j2", "*.css", "*.js", "references.yaml")  # package data: a module that lies next to such files reads them
LOG_CALLS = {"debug", "info", "warning", "error"}
MEANINGFUL = {"ClassVar", "InitVar", "KW_ONLY"}  # annotations that change what a dataclass does


def code_digest(script: Path) -> str:
    """A digest of what `script` and the library files behind it do: 24 hex digits.

    Python files are hashed as syntax trees, without docstrings, comments, type annotations, and the texts of log lines
    and of UserErrors. Other files are hashed as they are. Modification times do not count.
    """
    found = blake2b(_file_digest(script).encode(), digest_size=12)
    for path in library_files(script):
        found.update(f"{path.relative_to(PACKAGE)}\0{_file_digest(path)}".encode())
    return found.hexdigest()


def library_files(script: Path) -> list[Path]:
    """The files of this library that `script` imports, directly or not, with the package data next to them."""
    found: set[Path] = set()
    queue = [*_imports(script)]
    while queue:
        path = queue.pop()
        if path not in found:
            found.add(path)
            queue = [*queue, *_imports(path), *_data(path)]
    return sorted(found)


def file_digest(path: Path) -> str:
    """A digest of the bytes of a file: 32 hex digits."""
    return blake2b(path.read_bytes(), digest_size=16).hexdigest()


def syntax_digest(source: str) -> str:
    """A digest of what Python code does, whatever its prose: 32 hex digits.

    >>> documented = "def double(x: int):\\n    'Return 2x.'\\n    return 2 * x"
    >>> syntax_digest(documented) == syntax_digest("def double(x): return 2 * x  # twice x")
    True
    """
    return blake2b("\0".join(_tokens(ast.parse(source))).encode(), digest_size=16).hexdigest()


@cache  # most rules share most of the library
def _file_digest(path: Path) -> str:
    return syntax_digest(path.read_text()) if path.suffix == ".py" else file_digest(path)


def _tokens(node: ast.AST, texts: bool = True) -> Iterator[str]:
    """The node types and values of a syntax tree, depth first; without constant texts where `texts` is False.

    Empty fields are left out, because later Python versions add fields.
    """
    yield type(node).__name__
    texts = texts and not _speaks_to_users(node)
    for name, value in _fields(node):
        values = value if isinstance(value, list) else [value]
        if not texts:
            values = [one for one in values if not (isinstance(one, ast.Constant) and isinstance(one.value, str))]
        if not values or value is None:
            continue
        yield name
        for one in values:
            if isinstance(one, ast.AST):
                yield from _tokens(one, texts)
            else:
                yield repr(one)
        yield "end"


def _fields(node: ast.AST) -> Iterator[tuple[str, object]]:
    """The fields of a node that decide what the code does."""
    for name in node._fields:
        value = getattr(node, name, None)
        if name in ("returns", "type_comment") or (name == "annotation" and not _is_meaningful(value)):
            continue
        if name == "body" and isinstance(value, list) and _has_docstring(node):
            value = value[1:]
        yield name, value


def _has_docstring(node: ast.AST) -> bool:
    if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) or not node.body:
        return False
    first = node.body[0]
    return isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)


def _is_meaningful(annotation: ast.AST | None) -> bool:
    names = ast.walk(annotation) if annotation is not None else ()
    return any(isinstance(one, ast.Name) and one.id in MEANINGFUL for one in names)


def _speaks_to_users(node: ast.AST) -> bool:
    """Whether the texts in a node are a log line or the message of a UserError."""
    if not isinstance(node, ast.Call):
        return False
    if isinstance(node.func, ast.Name):
        return node.func.id == "UserError"
    called = node.func
    return isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name) and (
        called.value.id == "log" and called.attr in LOG_CALLS
    )  # fmt: skip


@cache
def _imports(path: Path) -> list[Path]:
    """The library files that a file imports, also inside functions."""
    found: list[Path] = []
    if path.suffix != ".py":
        return found
    for node in ast.walk(ast.parse(path.read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            root, _, module = name.partition(".")
            if root == PACKAGE.name and module:
                found += _resolve(module)
    return found


def _resolve(name: str) -> list[Path]:
    """The files behind `stage.module.function`, `stage.module` or `stage.function`, with the packages above them."""
    parts = name.split(".")
    files: list[Path] = []
    for end in range(1, len(parts) + 1):
        base = PACKAGE.joinpath(*parts[:end])
        for path in (base / "__init__.py", base.with_suffix(".py")):
            if path.is_file():
                files.append(path)
    return files


@cache
def _data(path: Path) -> list[Path]:
    """The package data next to a module and below its folder."""
    return [] if path.parent == PACKAGE else sorted(one for kind in DATA for one in path.parent.rglob(kind))
