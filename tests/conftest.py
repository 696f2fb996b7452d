"""Markers and order of the tests; fixtures: oracle programs, real data if they are available, and finished runs."""

import os
import shutil
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import settings

from tests.studies import Study, clone

ROOT = Path(__file__).resolve().parents[1]
settings.register_profile("untimed", deadline=None)  # a busy machine is no wrong answer
settings.load_profile("untimed")


# files whose tests take longest, in the order in which they start; before them those that share the finished study
FIRST = ["slurm/", "test_faults", "test_rerun_table", "test_reproducible", "test_labels_stage", "test_downstream.py"]
FIRST += ["test_segmentation_run", "test_distributed", "test_resume"]
NEEDS = {"oracle": "oracle", "validator": "oracle", "chromium": "browser"}  # a marker for what uses a fixture


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by what they need, keep those of a file (or of the finished study) together, and the longest first."""
    for item in items:
        place = item.path.relative_to(ROOT / "tests").as_posix()
        for fixture in {*NEEDS} & {*item.fixturenames}:
            item.add_marker(NEEDS[fixture])
        if place.startswith("slurm/"):
            item.add_marker("slurm")
    shared = {item.path for item in items if "finished" in item.fixturenames}
    for item in items:
        item.add_marker(pytest.mark.xdist_group("finished" if item.path in shared else item.path.stem))

    def rank(item: pytest.Item) -> int:
        if item.path in shared:
            return -1
        return next((place for place, name in enumerate(FIRST) if name in item.path.as_posix()), len(FIRST))

    items.sort(key=rank)


def absent(reason: str) -> None:
    """Skip a test with a reason, or fail it if REQUIRE_ORACLES=1 forbids skipping."""
    if os.environ.get("REQUIRE_ORACLES") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def root() -> Path:
    """The root folder of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def oracle():
    """A function that returns the path of an external program used as an oracle."""

    def find(program: str) -> str:
        path = shutil.which(program)
        if path is None:
            absent(f"{program} is not installed: on Debian, apt-get install {program}")
        return path

    return find


@pytest.fixture(scope="session")
def validator():
    """A function that returns the path of a program in the environment created by `make validator`."""

    def find(program: str) -> str:
        path = ROOT / ".venv-ssf" / "bin" / program
        if not (path.is_file() and (ROOT / ".venv-ssf" / "installed").is_file()):
            absent(f"{program} is not installed: make validator")
        return str(path)

    return find


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real genotypes and photographs, next to the repository."""
    folder = Path(os.environ.get("CONTIGWAS_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}")
    return folder


@pytest.fixture
def study(root, tmp_path):
    """A function that copies the workflow, with a named config of tests/config (None: the demo config)."""

    def make(name: str | None = None) -> Study:
        folder = clone(root, tmp_path / "study")
        if name is None:
            return Study(folder, None)
        return Study(folder, Path(shutil.copy(root / "tests" / "config" / name, folder / "study.yaml")))

    return make


@pytest.fixture(scope="session")
def finished(root, tmp_path_factory) -> Study:
    """The small demo, run to its end once a session. Tests that change it must put it back.

    Where tests run in several processes the first that asks runs it, and each gets a copy of its own.
    """
    name = Path("finished") / "it's a stüdy"
    own = tmp_path_factory.mktemp("own")
    together = own.parents[1] if "PYTEST_XDIST_WORKER" in os.environ else own
    with FileLock(together / "finished.lock"):
        if not (together / "finished.ended").exists():
            small = _small(root, together / name)
            run = small()
            assert run.status == 0, run.text[-6000:]
            (together / "finished.ended").touch()
    if together != own:
        (own / name).parent.mkdir()
        shutil.copytree(together / name, own / name, symlinks=True)
    return Study(own / name, own / name / "study.yaml")


def _small(root: Path, folder: Path) -> Study:
    """A new copy of the workflow with tests/config/small.yaml; what a failed attempt left is gone."""
    shutil.rmtree(folder, ignore_errors=True)
    clone(root, folder)
    return Study(folder, Path(shutil.copy(root / "tests" / "config" / "small.yaml", folder / "study.yaml")))
