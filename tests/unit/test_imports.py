"""Every package that the code imports is declared in pyproject.toml, and every declared one is used.

envs/contigwas.yaml lists the same packages: see test_envs.py.
"""

import ast
import re
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.unit.test_envs import ROOT, canonical

FOLDERS = ("contigwas", "workflow", "docs")
SITE_HOOK = ROOT / "docs/site_links.py"  # runs in the environment of `make site`, which envs/docs.txt pins
# Declared packages that no file imports by name, and why they are needed.
INDIRECT = {
    "einops": "imported by MONAI's ViT and UNETR when a network is built",
    "pytest-xdist": "pytest --numprocesses in the Makefile",
    "ruff": "make lint",
    "snakefmt": "make lint",
    "snakemake-executor-plugin-slurm": "Snakemake finds the executor by its name in profiles/slurm",
    "tensorboardx": "imported by Lightning's TensorBoardLogger",
}


def name_of(requirement: str) -> str:
    return canonical(re.split(r"[<>=~!;\[ ]", requirement)[0])


@cache
def declared() -> tuple[frozenset[str], dict[str, frozenset[str]]]:
    """The dependencies of a plain install, and those of each extra."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    plain = frozenset(name_of(one) for one in project["dependencies"])
    return plain, {extra: frozenset(name_of(one) for one in listed) for extra, listed in extras.items()}


def imports(source: str) -> Iterator[tuple[str, bool]]:
    """Top-level names that Python code imports, and whether each is imported only inside a function."""
    tree = ast.parse(source)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    inside = {id(node) for function in functions for node in ast.walk(function)}
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module]
        for name in names:
            yield name.partition(".")[0], id(node) in inside


def snakefile_imports(source: str) -> Iterator[tuple[str, bool]]:
    """The same for a Snakefile, which is not Python: its import statements, each in one line."""
    for module in re.findall(r"^\s*(?:from (\w\S*) import |import (\w\S*))", source, re.MULTILINE):
        yield "".join(module).partition(".")[0], False


def python_files(*folders: str) -> list[Path]:
    found = {path for folder in folders for path in (ROOT / folder).rglob("*.py")}
    return sorted(found - {SITE_HOOK})


def external_imports(*folders: str) -> dict[str, list[tuple[str, bool]]]:
    """By top-level name: the files that import it, and whether they do so only inside a function."""
    own = {"contigwas", "tests"} | {path.stem for path in python_files(*folders, "docs", "tests", "benchmarks")}
    files = [(path, imports(path.read_text())) for path in python_files(*folders)]
    if "workflow" in folders:
        snakefiles = [ROOT / "workflow/Snakefile", *sorted((ROOT / "workflow").rglob("*.smk"))]
        files += [(path, snakefile_imports(path.read_text())) for path in snakefiles]
    found = defaultdict(list)
    for path, names in files:
        local = own if path.parts[len(ROOT.parts)] != "contigwas" else {"contigwas"}
        for name, lazy in names:
            if name not in sys.stdlib_module_names and name not in local:
                found[name].append((str(path.relative_to(ROOT)), lazy))
    return found


@cache
def provided_by() -> dict[str, list[str]]:
    """The distributions that provide each top-level name. Reading all installed files takes seconds."""
    return packages_distributions()


def distributions(name: str) -> set[str]:
    """The distributions that provide a top-level name; all of them are installed for the tests."""
    found = {canonical(one) for one in provided_by().get(name, [])}
    assert found, f"{name} is imported, but no installed distribution provides it"
    return found


def test_every_import_is_declared():
    plain, extras = declared()
    optional = frozenset().union(*(listed for extra, listed in extras.items() if extra != "test"))
    missing = []
    for name, places in external_imports(*FOLDERS).items():
        provided = distributions(name)
        for path, lazy in places:
            if not provided & (plain | optional if lazy else plain):
                missing.append((path, name))
    assert not missing


def test_imports_of_tests_and_benchmarks_are_declared():
    plain, extras = declared()
    everything = plain.union(*extras.values())
    found = external_imports("tests", "benchmarks")
    assert not {name: places for name, places in found.items() if not distributions(name) & everything}


def test_every_declared_package_is_imported_or_has_a_reason():
    plain, extras = declared()
    imported = set().union(*map(distributions, external_imports(*FOLDERS)))
    tested = set().union(*map(distributions, external_imports("tests", "benchmarks")))
    optional = frozenset().union(*(listed for extra, listed in extras.items() if extra != "test"))
    assert not (plain | optional) - imported - INDIRECT.keys()
    assert not extras["test"] - optional - tested - INDIRECT.keys()
    assert plain.union(*extras.values()) >= INDIRECT.keys()
    assert not imported & INDIRECT.keys()


def test_imports_of_the_site_are_pinned():
    pinned = {
        canonical(line.split("==")[0]) for line in (ROOT / "envs/docs.txt").read_text().splitlines() if "==" in line
    }
    imported = {name for name, _ in imports(SITE_HOOK.read_text())} - sys.stdlib_module_names
    assert imported == {"mkdocs"} and imported <= pinned


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import a.b", {("a", False)}),
        ("from a.b import c", {("a", False)}),
        ("from . import c", set()),
        ("def f():\n    import a", {("a", True)}),
        ("class A:\n    import a", {("a", False)}),
        ("try:\n    import a\nexcept ImportError:\n    pass", {("a", False)}),
    ],
)
def test_imports_are_found(source, found):
    assert {*imports(source)} == found


def test_imports_of_a_snakefile_are_found():
    source = "import a\nfrom b.c import (\n    d,\n)\nrule one:\n    input: 'import'\n"
    assert {*snakefile_imports(source)} == {("a", False), ("b", False)}
