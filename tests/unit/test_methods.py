"""A method is one module, one line of the registry and its keys in the schema; no other code names it."""

import ast
import inspect
import re
from pathlib import Path

import pytest
import torch

import contigwas.pretrain.methods as registry
from contigwas.config.models import methods, read_schema
from contigwas.pretrain.methods import METHODS, Pretraining
from contigwas.pretrain.normalise import Normaliser
from tests.unit.pretraining import MGI, RECIPE

ROOT = Path(__file__).resolve().parents[2]
OWN = ROOT / "contigwas/pretrain/methods"
FILES = [path for path in sorted((ROOT / "contigwas").rglob("*.py")) if path.parent != OWN]
SCRIPTS = [
    *sorted((ROOT / "workflow").rglob("*.smk")),
    *sorted((ROOT / "workflow/scripts").glob("*.py")),
    ROOT / "workflow/Snakefile",
]


def texts(path: Path) -> set[str]:
    """Return every string constant in a file's code."""
    tree = ast.parse(path.read_text())
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def test_the_schema_and_the_registry_name_the_same_methods():
    assert [*methods()] == [*METHODS]
    branches = read_schema()["$defs"]["recipe"]["allOf"]
    assert [one["if"]["properties"]["method"]["const"] for one in branches] == [*METHODS]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_of_the_library_names_a_method_or_its_class(path):
    assert not texts(path) & {*METHODS}
    classes = {kind.__name__ for kind in METHODS.values()}
    imported = {
        alias.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("contigwas.pretrain.methods")
        for alias in node.names
    }
    assert not imported & classes


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_no_rule_names_a_method(path):
    code = "\n".join(line.partition("#")[0] for line in path.read_text().splitlines())
    assert not {name for name in METHODS if re.search(rf"[\"']{name}[\"']", code)}


@pytest.mark.parametrize("name", METHODS)
def test_a_method_is_one_module_and_one_line_of_the_registry(name):
    kind = METHODS[name]
    assert issubclass(kind, Pretraining) and Path(inspect.getfile(kind)).parent == OWN
    lines = [line for line in inspect.getsource(registry).splitlines() if f'"{name}"' in line]
    assert lines == [f'    "{name}": {kind.__name__},']


@pytest.mark.parametrize("name", METHODS)
def test_the_schema_says_whether_a_method_trains(name):
    assert METHODS[name].trains == (methods()[name].views > 0)


@pytest.mark.parametrize("name", METHODS)
def test_the_schema_says_whether_its_encoders_have_tokens(name):
    tokens = False
    if "modalities" in read_schema()["$defs"][name]["properties"]:
        normaliser = Normaliser(torch.arange(6), torch.zeros(6), torch.ones(6))
        encoders = METHODS[name].encoders({"pgs": normaliser}, RECIPE | MGI)
        tokens = hasattr(encoders["pgs"], "tokens")
    assert methods()[name].tokens == tokens
