"""The library files behind a stage are those that it imports, no more."""

import subprocess
import sys

import pytest

from contigwas.runtime.code_digest import PACKAGE, sources


@pytest.mark.parametrize("stage", ["gwas", "pgs", "samples.cohort", "genotypes.kinship", "report"])
def test_sources_are_what_python_loads(stage):
    """The oracle is Python itself: import the modules and ask which files of the package were loaded."""
    program = f"""
import importlib, pkgutil, sys
module = importlib.import_module("contigwas.{stage}")
for one in pkgutil.walk_packages(getattr(module, "__path__", []), module.__name__ + "."):
    importlib.import_module(one.name)
print("\\n".join(m.__file__ for n, m in sys.modules.items() if n.startswith("contigwas.")))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    )
    loaded = {str(path) for path in map(PACKAGE.joinpath, done.stdout.split())}
    found = {str(path) for path in sources(stage) if path.suffix == ".py"}
    assert loaded <= found
    # imports inside functions are found too, so `found` may be larger, but only by what those name
    assert len(found) < len(list(PACKAGE.rglob("*.py")))


def test_the_library_never_imports_snakemake():
    texts = [path.read_text() for path in PACKAGE.rglob("*.py")]
    assert not [text for text in texts if "import snakemake" in text or "from snakemake" in text]


def test_templates_belong_to_their_stage():
    assert any(path.suffix == ".j2" for path in sources("report"))
