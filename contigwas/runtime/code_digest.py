"""Which files of this library a stage runs: Snakemake compares their digest, so that editing one reruns the stage."""

import ast
from functools import cache
from hashlib import blake2b
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
KINDS = ("*.py", "*.j2", "*.css", "*.js", "*.yaml")


def sources(*modules: str) -> list[Path]:
    """The files of the named modules or sub-packages and of everything of this library that they import.

    >>> [path.name for path in sources("runtime.disk")]
    ['__init__.py', 'disk.py', 'errors.py']
    """
    found: set[Path] = set()
    queue = [path for module in modules for path in [*_files(module), *_resolve(module)]]
    while queue:
        path = queue.pop()
        if path not in found:
            found.add(path)
            queue += _imports(path)
    return sorted(found)


def digest(*modules: str, script: Path) -> str:
    """A hash of what is in those files, of their places in the library, and of what is in `script`: 24 hex digits.

    Times do not count.
    """
    found = blake2b(_content(script).encode(), digest_size=12)
    for path in sources(*modules):
        found.update(f"{path.relative_to(PACKAGE)}\0{_content(path)}".encode())
    return found.hexdigest()


def content(path: Path) -> str:
    """A hash of what is in a file: 32 hex digits."""
    return blake2b(path.read_bytes(), digest_size=16).hexdigest()


_content = cache(content)  # every rule asks for the same files


def _files(module: str) -> list[Path]:
    """The file of a module, or all files of a sub-package (`gwas`, `gwas.engine`)."""
    base = PACKAGE.joinpath(*module.split("."))
    if base.is_dir():
        return sorted(path for kind in KINDS for path in base.rglob(kind))
    return [base.with_suffix(".py")] if base.with_suffix(".py").is_file() else []


@cache
def _imports(path: Path) -> list[Path]:
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
    """The files behind `stage.module.function`, `stage.module` or `stage.function`: the longest part that is a file."""
    parts = name.split(".")
    files: list[Path] = []
    for end in range(1, len(parts) + 1):
        base = PACKAGE.joinpath(*parts[:end])
        for path in (base / "__init__.py", base.with_suffix(".py")):
            if path.is_file():
                files.append(path)
    return files
