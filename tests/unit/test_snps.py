"""The SNP modality: the grid depends on the order of the file, not on quality control."""

import anndata
import numpy as np
import pandas as pd
import pytest

from contigwas.runtime.errors import UserError
from contigwas.snps import write_snps
from contigwas.tables import anndata_io as modality
from contigwas.tables.anndata_io import read_modality
from tests.modalities import EVERYTHING, quality, write_cohort
from tests.plink_files import iids, simulate, write_plink

NAMES = iids(30)
GRID = {"stride": 3, "offset": 0, "list": None, "pruned": False}


@pytest.fixture
def study(tmp_path):
    """Two chromosomes of 40 and 23 variants in one file; samples of the cohort in another order, two excluded."""
    dosages = simulate(np.random.default_rng(4), 30, 63, missing=0.05)
    dosages[:, 6] = 0
    bed = write_plink(tmp_path / "all.bed", dosages, NAMES, ["1"] * 40 + ["2"] * 23)
    cohort = write_cohort(tmp_path, NAMES[::-1], NAMES[3:5])
    return tmp_path, bed, dosages, cohort


def test_every_third_variant_raw_and_in_the_order_of_the_cohort(study):
    folder, bed, dosages, cohort = study
    tables = quality(bed, folder, NAMES, ["1", "2"], EVERYTHING)
    write_snps(bed, tables, cohort, GRID, folder / "snps.h5ad")
    data = read_modality(folder / "snps.h5ad")
    samples = [29 - row for row in range(30) if 29 - row not in (3, 4)]
    columns = [*range(0, 40, 3), *range(40, 63, 3)]
    assert data.X.dtype == np.int8
    assert (data.X == -127).any()
    np.testing.assert_array_equal(data.X, dosages[np.ix_(samples, columns)])
    assert data.obs_names.tolist() == [NAMES[row] for row in samples]
    assert data.var_names.tolist() == [f"rs{1 if c < 40 else 2}_{c}" for c in columns]
    assert data.var.columns.tolist() == ["chrom", "pos", "effect_allele", "other_allele", "eaf", "missing"]
    assert data.var["chrom"].tolist() == ["1"] * 14 + ["2"] * 8
    called = data.X >= 0
    assert data.var["missing"].tolist() == (~called).sum(axis=0).tolist()
    np.testing.assert_allclose(data.var["eaf"], np.where(called, data.X, 0).sum(axis=0) / 2 / called.sum(axis=0))
    backed = anndata.read_h5ad(folder / "snps.h5ad", backed="r")
    np.testing.assert_array_equal(backed.X[3:9], data.X[3:9])


def test_qc_thresholds_only_remove_variants_from_the_grid(study):
    folder, bed, _, cohort = study
    write_snps(bed, quality(bed, folder, NAMES, ["1", "2"], EVERYTHING), cohort, GRID, folder / "all.h5ad")
    strict = quality(bed, folder, NAMES, ["1", "2"], {**EVERYTHING, "maf": 0.01})
    write_snps(bed, strict, cohort, GRID, folder / "strict.h5ad")
    wide, narrow = read_modality(folder / "all.h5ad").var_names, read_modality(folder / "strict.h5ad").var_names
    assert wide.difference(narrow).tolist() == ["rs1_6"]
    assert narrow.isin(wide).all()


def test_missing_and_duplicated_ids_are_replaced_by_position_and_alleles(tmp_path):
    dosages = simulate(np.random.default_rng(5), 30, 6)
    ids = [".", "a", ".", "b", "b", "c"]
    bed = write_plink(tmp_path / "chr1.bed", dosages, NAMES, ["1"] * 4 + ["2"] * 2, sid=ids)
    tables = quality(bed, tmp_path, NAMES, ["1", "2"], EVERYTHING)
    write_snps(bed, tables, write_cohort(tmp_path, NAMES), {**GRID, "stride": 1}, tmp_path / "snps.h5ad")
    names = read_modality(tmp_path / "snps.h5ad").var_names.tolist()
    assert names == ["1:1000:G:A", "a", "1:3000:G:A", "1:4000:G:A", "2:5000:G:A", "c"]


def test_a_grid_that_starts_later(study):
    folder, bed, _, cohort = study
    tables = quality(bed, folder, NAMES, ["1", "2"], EVERYTHING)
    write_snps(bed, tables, cohort, {**GRID, "offset": 2}, folder / "snps.h5ad")
    columns = [*range(2, 40, 3), *range(42, 63, 3)]
    assert read_modality(folder / "snps.h5ad").var_names.tolist() == [f"rs{1 if c < 40 else 2}_{c}" for c in columns]


def test_a_list_of_ids(study, caplog):
    caplog.set_level("INFO")
    folder, bed, _, cohort = study
    tables = quality(bed, folder, NAMES, ["1", "2"], EVERYTHING)
    (folder / "ids.txt").write_text("rs2_50\nrs1_3\n\nrs9\nrs1_3\n")
    write_snps(bed, tables, cohort, {**GRID, "list": folder / "ids.txt"}, folder / "snps.h5ad")
    assert read_modality(folder / "snps.h5ad").var_names.tolist() == ["rs1_3", "rs2_50"]
    assert "2 of the 3 IDs of snps.list are in the genotypes, 1 are not" in caplog.text
    (folder / "ids.txt").write_text("rs7 1\n")
    with pytest.raises(UserError, match="line 1 has 2 columns"):
        write_snps(bed, tables, cohort, {**GRID, "list": folder / "ids.txt"}, folder / "snps.h5ad")
    (folder / "ids.txt").write_text("7:1\n")
    with pytest.raises(UserError, match="lists 1 IDs, and none of them is in the genotypes .whose IDs look like rs1_0"):
        write_snps(bed, tables, cohort, {**GRID, "list": folder / "ids.txt"}, folder / "snps.h5ad")


def test_the_pruned_variants(study):
    folder, bed, _, cohort = study
    tables = quality(bed, folder, NAMES, ["1", "2"], EVERYTHING)
    pruned = {}
    for chrom, rows in (("1", [4, 9]), ("2", [0])):
        pruned[chrom] = folder / f"pruned{chrom}.parquet"
        pd.read_parquet(tables[chrom]).iloc[rows].to_parquet(pruned[chrom])
    write_snps(bed, tables, cohort, {**GRID, "pruned": True}, folder / "snps.h5ad", pruned)
    assert read_modality(folder / "snps.h5ad").var_names.tolist() == ["rs1_4", "rs1_9", "rs2_40"]


@pytest.mark.parametrize("chunk", [(7, 2), (8192, 32), (5, 100)])
def test_blocks_of_any_size_make_the_same_file(tmp_path, chunk, monkeypatch):
    monkeypatch.setattr(modality, "CHUNK", chunk)
    values = np.random.default_rng(1).integers(-1, 3, (30, 53)).astype(np.int8)
    features = pd.DataFrame(index=[f"f{number}" for number in range(53)])
    for width in (1, 3, 50, 60):
        blocks = (values[:, start : start + width] for start in range(0, 53, width))
        modality.write_blocks(tmp_path / "x.h5ad", blocks, np.int8, pd.Index(NAMES), features, {"stage": "x"})
        data = read_modality(tmp_path / "x.h5ad")
        np.testing.assert_array_equal(data.X, values)
        assert (list(data.obs_names), list(data.var_names)) == (NAMES, list(features.index))


def test_duplicated_feature(tmp_path):
    modality.write_modality(tmp_path / "x.h5ad", np.zeros((30, 2)), NAMES, pd.DataFrame(index=["a", "a"]), {})
    with pytest.raises(UserError, match="1 features are duplicated .first a"):
        read_modality(tmp_path / "x.h5ad")


def test_bad_input(study):
    folder, bed, _, cohort = study
    tables = quality(bed, folder, NAMES, ["1", "2"], EVERYTHING)
    nothing = pd.read_parquet(tables["1"]).assign(kept=False)
    nothing.to_parquet(folder / "nothing.parquet")
    with pytest.raises(UserError, match="none of the 14 variants that are on the grid of every 3-th"):
        write_snps(bed, {"1": folder / "nothing.parquet"}, cohort, GRID, folder / "snps.h5ad")
    stranger = write_cohort(folder, [*NAMES, "9999999"])
    with pytest.raises(UserError, match="1 of 31 samples are missing") as error:
        write_snps(bed, tables, stranger, GRID, folder / "snps.h5ad")
    assert "9999999" not in str(error.value)
    assert not (folder / "snps.h5ad").exists()
