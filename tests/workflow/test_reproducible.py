"""A second run from nothing gives the same files, with another number of cores too.

It is as users run it: each job is a Python of its own. The first run, which other tests share, is made of forks.
"""

from dataclasses import replace

import pytest

pytestmark = pytest.mark.slow


def test_a_second_run_with_one_core_gives_the_same_loci(finished, study):
    again = replace(study("small.yaml"), cold=True)
    same = [
        "results/models/contig/loci.tsv",
        "results/models/latents/loci.tsv",
        "results/models/contig/fold1/history.csv",
        "results/samples/cohort.tsv",
        "results/modalities/pgs_matching.tsv",
    ]
    done = again(*same, cores=1)
    assert done.status == 0, done.text[-4000:]
    for path in same:
        assert (again.folder / path).read_bytes() == (finished.folder / path).read_bytes(), path
    assert len((again.folder / same[1]).read_text().splitlines()) > 1, "there are loci to compare"
