"""No input file can run code, and no shell gets user-supplied text."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted([*(ROOT / "contigwas").rglob("*.py"), *(ROOT / "workflow/scripts").glob("*.py")])


def calls(path: Path) -> Iterator[tuple[str, dict[str, ast.expr]]]:
    """Return every call in a file: the called expression and its keywords."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), {one.arg: one.value for one in node.keywords if one.arg}


def is_true(value: ast.expr | None) -> bool:
    return isinstance(value, ast.Constant) and value.value is True


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_unpickles_and_nothing_is_a_shell_command(path):
    for name, keywords in calls(path):
        assert name not in {"eval", "exec", "os.system", "os.popen", "pickle.load", "pickle.loads", "pd.read_pickle"}
        assert not is_true(keywords.get("shell")), name
        assert not is_true(keywords.get("allow_pickle")), name
        if name == "torch.load" or name.endswith(".load_from_checkpoint"):
            assert is_true(keywords.get("weights_only")), f"{name} without weights_only=True"


def test_a_training_resumes_with_weights_only():
    fits = [keywords for path in FILES for name, keywords in calls(path) if name == "trainer.fit"]
    assert fits and all(is_true(keywords["weights_only"]) for keywords in fits)


def test_no_rule_runs_a_shell():
    rules = [*(ROOT / "workflow/rules").glob("*.smk"), ROOT / "workflow/Snakefile"]
    assert not [path.name for path in rules if "shell:" in path.read_text() or "shell(" in path.read_text()]
