"""The grid of SNPs: fixed by the file's order, whatever quality control says."""

import numpy as np
import pandas as pd
import pytest

from contigwas.errors import UserError
from contigwas.modality import read_modality
from contigwas.snps import write_snps
from tests.modalities import EVERYTHING, quality, write_cohort
from tests.plink_files import iids, simulate, write_plink

NAMES = iids(30)


@pytest.fixture
def study(tmp_path):
    """Two chromosomes of 40 and 23 variants in one file; people of the cohort in another order, two excluded."""
    dosages = simulate(np.random.default_rng(4), 30, 63, missing=0.05)
    dosages[:, 6] = 0
    bed = write_plink(tmp_path / "all.bed", dosages, NAMES, ["1"] * 40 + ["2"] * 23)
    cohort = write_cohort(tmp_path, NAMES[::-1], NAMES[3:5])
    return tmp_path, bed, dosages, cohort


def test_every_third_variant_raw_and_in_the_order_of_the_cohort(study):
    folder, bed, dosages, cohort = study
    tables = quality(bed, folder, NAMES, ["1", "2"], EVERYTHING)
    write_snps(bed, tables, cohort, 3, folder / "snps.h5ad")
    data = read_modality(folder / "snps.h5ad")
    people = [29 - row for row in range(30) if 29 - row not in (3, 4)]
    columns = [*range(0, 40, 3), *range(40, 63, 3)]
    assert data.X.dtype == np.int8
    assert (data.X == -127).any()
    np.testing.assert_array_equal(data.X, dosages[np.ix_(people, columns)])
    assert data.obs_names.tolist() == [NAMES[row] for row in people]
    assert data.var_names.tolist() == [f"rs{1 if c < 40 else 2}_{c}" for c in columns]
    assert data.var.columns.tolist() == ["chrom", "pos", "effect_allele", "other_allele", "af"]
    assert data.var["chrom"].tolist() == ["1"] * 14 + ["2"] * 8


def test_thresholds_take_variants_from_the_grid_and_bring_none_into_it(study):
    folder, bed, _, cohort = study
    write_snps(bed, quality(bed, folder, NAMES, ["1", "2"], EVERYTHING), cohort, 3, folder / "all.h5ad")
    strict = quality(bed, folder, NAMES, ["1", "2"], {**EVERYTHING, "maf": 0.01})
    write_snps(bed, strict, cohort, 3, folder / "strict.h5ad")
    wide, narrow = read_modality(folder / "all.h5ad").var_names, read_modality(folder / "strict.h5ad").var_names
    assert wide.difference(narrow).tolist() == ["rs1_6"]
    assert narrow.isin(wide).all()


def test_variants_without_an_id_of_their_own_are_named_by_place_and_alleles(tmp_path):
    dosages = simulate(np.random.default_rng(5), 30, 6)
    ids = [".", "a", ".", "b", "b", "c"]
    bed = write_plink(tmp_path / "chr1.bed", dosages, NAMES, ["1"] * 4 + ["2"] * 2, sid=ids)
    tables = quality(bed, tmp_path, NAMES, ["1", "2"], EVERYTHING)
    write_snps(bed, tables, write_cohort(tmp_path, NAMES), 1, tmp_path / "snps.h5ad")
    names = read_modality(tmp_path / "snps.h5ad").var_names.tolist()
    assert names == ["1:1000:G:A", "a", "1:3000:G:A", "1:4000:G:A", "2:5000:G:A", "c"]


def test_bad_input(study):
    folder, bed, _, cohort = study
    tables = quality(bed, folder, NAMES, ["1", "2"], EVERYTHING)
    nothing = pd.read_parquet(tables["1"]).assign(kept=False)
    nothing.to_parquet(folder / "nothing.parquet")
    with pytest.raises(UserError, match="none of the 14 variants on the grid of every 3-th"):
        write_snps(bed, {"1": folder / "nothing.parquet"}, cohort, 3, folder / "snps.h5ad")
    stranger = write_cohort(folder, [*NAMES, "9999999"])
    with pytest.raises(UserError, match="lacks 1 of 31 people") as error:
        write_snps(bed, tables, stranger, 3, folder / "snps.h5ad")
    assert "9999999" not in str(error.value)
    assert not (folder / "snps.h5ad").exists()
