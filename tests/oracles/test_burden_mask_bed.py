"""The burden as a .bed of masks: read back, and read by plink2."""

import subprocess

import numpy as np
import pandas as pd
import pytest

from contigwas.burden import write_burden
from contigwas.export.mask_bed import write_mask_bed
from contigwas.genotypes.bed import Bed
from contigwas.runtime.errors import UserError
from contigwas.tables.anndata_io import read_modality
from tests.modalities import burden_settings, write_cohort
from tests.plink_files import iids, write_plink

SAMPLES = 37  # no multiple of four


@pytest.fixture
def study(tmp_path):
    rng = np.random.default_rng(3)
    names = iids(SAMPLES)
    for chrom in ("1", "2"):
        dosages = rng.binomial(2, 0.05, (SAMPLES, 60)).astype(np.int8)
        dosages[rng.random(dosages.shape) < 0.02] = -127
        write_plink(tmp_path / f"chr{chrom}.bed", dosages, names, chrom)
    ids = {chrom: [f"rs{chrom}_{number}" for number in range(60)] for chrom in ("1", "2")}
    sets = [(f"G{c}{g}", c, 1000 * g + 1, ids[c][6 * g : 6 * g + 6]) for c in ids for g in range(10)]
    (tmp_path / "sets.txt").write_text("".join(f"{g} {c} {p} {','.join(v)}\n" for g, c, p, v in sets))
    (tmp_path / "annotations.txt").write_text("".join(f"{one} {g} LoF\n" for g, _, _, v in sets for one in v))
    return tmp_path, write_cohort(tmp_path, names[::-1][:31])


def write(folder, cohort, **changed):
    settings = burden_settings(masks={"M1": ["LoF"]}, max_aaf=0.1, **changed)
    files = folder / "annotations.txt", folder / "sets.txt", cohort
    write_burden(folder / "chr{chrom}.bed", [1, 2], *files, settings, folder / "burden.h5ad")
    write_mask_bed(folder / "burden.h5ad", cohort, folder / "masks.bed")
    return read_modality(folder / "burden.h5ad")


@pytest.mark.parametrize("statistic", ["max", "comphet", "binary"])
def test_round_trip(study, statistic):
    folder, cohort = study
    data = write(folder, cohort, statistic=statistic, singletons=True)
    bed = Bed(folder / "masks.bed")
    assert bed.samples["iid"].tolist() == data.obs_names.tolist()
    np.testing.assert_array_equal(bed.read(np.arange(len(bed.variants))), data.X.toarray())
    assert data.X.max() == (1 if statistic == "binary" else 2)
    variants = bed.variants
    cut = [mask if mask.endswith("singleton") else f"{mask}.0.1" for mask in data.var["mask"]]
    assert variants["id"].tolist() == [f"{gene}.{one}" for gene, one in zip(data.var["gene"], cut, strict=True)]
    assert variants["effect_allele"].tolist() == [one.upper() for one in cut]
    assert set(variants["other_allele"]) == {"REF"}
    assert variants["chrom"].tolist() == data.var["chrom"].tolist()
    assert variants["pos"].tolist() == data.var["pos"].tolist()
    assert not list(folder.glob(".*.tmp.*"))


def test_plink2_counts_the_same_alleles(study, oracle):
    folder, cohort = study
    data = write(folder, cohort)
    command = [oracle("plink2"), "--bfile", folder / "masks", "--freq", "counts", "--out", folder / "plink2"]
    subprocess.run(list(map(str, command)), check=True, capture_output=True)
    counts = pd.read_csv(folder / "plink2.acount", sep="\t")
    assert counts["REF"].eq("ref").all() and counts["ALT"].eq("M1.0.1").all()
    assert counts["ALT_CTS"].tolist() == np.asarray(data.X.sum(axis=0)).ravel().tolist()
    assert counts["OBS_CT"].eq(2 * 31).all(), "nobody is missing"


def test_sums_cannot_be_exported(study):
    folder, cohort = study
    with pytest.raises(UserError, match="holds sums of alleles.*Set burden.statistic to comphet"):
        write(folder, cohort, statistic="sum")
    assert not list(folder.glob("masks.*"))


def test_error_for_another_cohort_contains_no_ids(study):
    folder, cohort = study
    write(folder, cohort)
    other = write_cohort(folder, iids(SAMPLES)[:20])
    with pytest.raises(UserError, match="17 of the 31 samples of .* are missing") as error:
        write_mask_bed(folder / "burden.h5ad", other, folder / "masks.bed")
    assert not any(one in str(error.value) for one in iids(SAMPLES))
