"""The cluster of the SLURM tests."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import absent
from tests.slurm.cluster import Cluster, missing_programs


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A controller and two idle nodes, gone at the end."""
    missing = missing_programs()
    if missing:
        absent(f"{', '.join(missing)} not installed: on Debian, apt-get install slurm-wlm munge")
    folder = Path(tempfile.mkdtemp(prefix="slurm"))
    made = Cluster(folder)
    try:
        made.start()
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def idle_cluster(cluster) -> Iterator[Cluster]:
    """The cluster, with both nodes up and nothing left in the queue after the test."""
    yield cluster
    cluster.restore()
