"""The code digest of a job: the library files that its script imports, and what they do, not what they say."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from contigwas.runtime.code_digest import PACKAGE, code_digest, library_files, syntax_digest

SCRIPTS = PACKAGE.parent / "workflow" / "scripts"
FUNCTION = '''
@dataclass
class Limit:
    """A limit."""

    value: float = 1.0


def above(values: list[float], limit: Limit) -> int:
    """How many values are above the limit."""
    # every value counts
    if limit.value < 0:
        raise UserError(f"limit.value is {limit.value}: write a positive number")
    log.info("%d values", len(values))
    return sum(one > limit.value for one in values)
'''


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("How many values are above", "The number of values above"),
        ("# every value counts", ""),
        ("list[float]", "Sequence[float]"),
        ("value: float = 1.0", "value: int | float = 1.0"),
        ("-> int", ""),
        (": write a positive number", " and must be positive"),
        ('"%d values"', '"%d values are compared"'),
        ("    log.info", "\n\n    log.info"),
    ],
)
def test_prose_does_not_change_the_digest(old, new):
    edited = FUNCTION.replace(old, new)
    assert edited != FUNCTION
    assert syntax_digest(edited) == syntax_digest(FUNCTION)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("one > limit", "one >= limit"),
        ("value: float = 1.0", "value: float = 2.0"),
        ("value: float = 1.0", "value: ClassVar[float] = 1.0"),
        ("value: float", "ceiling: float"),
        ("limit.value < 0", "limit.value < 1"),
        ("@dataclass", "@dataclass(frozen=True)"),
        ("        raise", "        return 0\n        raise"),
        ("def above(values", "def above(*values"),
        ("return sum(", 'return "text" and sum('),
    ],
)
def test_a_statement_changes_the_digest(old, new):
    assert syntax_digest(FUNCTION.replace(old, new)) != syntax_digest(FUNCTION)


def test_text_that_is_no_docstring_counts():
    assert syntax_digest("column = 'iid'") != syntax_digest("column = 'fid'")
    assert syntax_digest("'iid'\ncolumn = 1") == syntax_digest("'fid'\ncolumn = 1")


def test_the_digest_of_a_script_changes_with_its_statements_alone(tmp_path):
    script = tmp_path / "script.py"
    text = (SCRIPTS / "gwas_chromosome.py").read_text()
    digests = set()
    for one in (text, "# a comment\n" + text, text + "\nprint(1)\n"):
        script.write_text(one)
        sys.modules["contigwas.runtime.code_digest"]._file_digest.cache_clear()
        digests.add(code_digest(script))
    assert len(digests) == 2


def _imports_of(script: Path) -> str:
    """The import statements of a script as a program."""
    nodes = [one for one in ast.walk(ast.parse(script.read_text())) if isinstance(one, ast.Import | ast.ImportFrom)]
    return "\n".join(map(ast.unparse, nodes))


@pytest.mark.parametrize(
    "script", ["gwas_chromosome", "pgs", "samples", "genotypes_kinship", "report", "pretrain_fold"]
)
def test_library_files_are_what_python_loads(script):
    """The oracle is Python itself: run the script's imports and ask which files of the package were loaded."""
    path = SCRIPTS / f"{script}.py"
    program = f"""
import sys
{_imports_of(path)}
print("\\n".join(m.__file__ for n, m in sys.modules.items() if n.startswith("contigwas.")))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    )
    loaded = {str(path) for path in map(PACKAGE.joinpath, done.stdout.split())}
    found = {str(path) for path in library_files(path) if path.suffix == ".py"}
    assert loaded <= found
    # imports inside functions are found too, so `found` may be larger, but only by what those name
    assert len(found) < len(list(PACKAGE.rglob("*.py")))


def test_training_does_not_depend_on_the_readers_of_genotypes():
    names = {path.parent.name for path in library_files(SCRIPTS / "pretrain_fold.py")}
    assert not names & {"genotypes", "gwas", "loci", "report", "plots"}


def test_every_rule_passes_the_digest_of_its_own_script():
    """A rule with another rule's digest would not run again after an edit of its script."""
    for rules in (PACKAGE.parent / "workflow" / "rules").glob("*.smk"):
        text = rules.read_text()
        for rule in text.split("\nrule ")[1:]:
            if "../scripts/" in rule and "code_of(" in rule:
                script = rule.split("../scripts/")[1].split(".py")[0]
                assert f'code_of("{script}")' in rule, f"{rules.name}: {rule.split(':')[0]}"


def test_the_library_never_imports_snakemake():
    texts = [path.read_text() for path in PACKAGE.rglob("*.py")]
    assert not [text for text in texts if "import snakemake" in text or "from snakemake" in text]


def test_templates_belong_to_their_stage():
    assert any(path.suffix == ".j2" for path in library_files(SCRIPTS / "report.py"))
