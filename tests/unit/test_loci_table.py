"""loci.tsv from GWAS files and genotypes."""

import numpy as np
import pandas as pd
import pytest

from contigwas.genotypes.reader import open_genotypes
from contigwas.loci import COLUMNS, write_loci
from contigwas.loci.gwas_file import features, read_rows
from contigwas.runtime.atomic_files import write_tsv
from contigwas.runtime.errors import UserError
from contigwas.tables.text import read_table
from tests.plink_files import iids, simulate, write_plink

SETTINGS = {"test": "manova", "p1": 5e-8, "p2": 1e-6, "r2": 0.2, "kb": 10, "feature_p": None}
SETTINGS |= {"genes": None, "genes_build": None, "build": "GRCh37"}


@pytest.fixture
def study(tmp_path):
    """Two chromosomes of 60 variants in blocks of 6 linked ones; a strong locus at rows 12 to 17 of chromosome 1."""
    rng = np.random.default_rng(11)
    names = iids(200)
    gwas = {}
    for chrom in ("1", "2"):
        dosages = simulate(rng, 200, 60, blocks=6)
        write_plink(tmp_path / f"chr{chrom}.bed", dosages, names, chrom)
        keep = np.flatnonzero(rng.random(60) < 0.9) if chrom == "2" else np.arange(60)
        table = pd.DataFrame({"chrom": chrom, "pos": (1000 * (keep + 1)).astype(np.int32)})
        table["id"] = [f"rs{chrom}_{row}" for row in keep]
        table = table.assign(effect_allele="A", other_allele="G", eaf=np.float32(0.3), n=np.int32(200), flag="")
        for name in ("E1", "E2"):
            table[f"beta_{name}"] = (keep + (0.5 if name == "E2" else 0.25)).astype(np.float32)
            table[f"se_{name}"] = np.float32(0.1)
            table[f"log10p_{name}"] = np.float32(1.0)
        table["log10p_manova"] = np.float32(0.5)
        gwas[chrom] = tmp_path / f"chr{chrom}.parquet"
        table.to_parquet(gwas[chrom], index=False, row_group_size=16)
    change(gwas["1"], {(14, "log10p_manova"): 320.0, (15, "log10p_manova"): 9.0, (14, "log10p_E2"): 300.0})
    change(gwas["1"], {(0, "log10p_manova"): np.nan})
    cohort = pd.DataFrame({"fid": names, "iid": names, "gwas_included": 1, "exclusion": ""})
    write_tsv(cohort, tmp_path / "cohort.tsv")
    return tmp_path, gwas


def change(path, cells):
    table = pd.read_parquet(path)
    for (row, column), value in cells.items():
        table.loc[row, column] = value
    table.to_parquet(path, index=False, row_group_size=16)


def run(study, **settings):
    folder, gwas = study
    output = folder / "loci.tsv"
    write_loci(gwas, str(folder / "chr{chrom}.bed"), folder / "cohort.tsv", SETTINGS | settings, output)
    return read_table(output)


def test_a_locus(study):
    (folder, _), loci = study, run(study)
    assert loci.columns.tolist() == COLUMNS
    assert len(loci) == 1
    row = loci.iloc[0]
    assert (row["locus"], row["chrom"], row["lead_id"], row["pos"], row["test"]) == (1, "1", "rs1_14", 15000, "manova")
    assert (row["effect_allele"], row["other_allele"], row["eaf"], row["n"]) == ("A", "G", 0.3, 200)
    assert (row["log10p"], row["best_feature"], row["beta"], row["se"]) == (320, "E2", 14.5, 0.1)
    assert (row["start"], row["end"], row["n_variants"]) == (13000, 18000, 6)  # its block of linked variants
    assert not list(folder.glob(".*tmp*"))


def test_features_that_reach_the_threshold_best_first(study):
    assert run(study)["features"].tolist() == ["E2"]
    change(study[1]["1"], {(14, "log10p_E1"): 301.0})
    assert run(study)["features"].tolist() == ["E1,E2"]
    assert run(study, feature_p=1e-300)["features"].tolist() == ["E1,E2"], "p equal to the threshold counts"
    change(study[1]["1"], {(14, "log10p_E1"): np.nan})
    assert run(study, feature_p=1e-301).fillna("")["features"].tolist() == [""]


def test_the_test_may_be_one_feature(study):
    loci = run(study, test="E2")
    assert loci[["lead_id", "test", "log10p", "best_feature"]].values.tolist() == [["rs1_14", "E2", 300.0, "E2"]]
    change(study[1]["1"], {(40, "log10p_E1"): 20.0, (14, "log10p_E1"): 30.0})
    assert run(study, test="E1")["lead_id"].tolist() == ["rs1_14", "rs1_40"]


@pytest.mark.parametrize(
    ("test", "sentence"),
    [
        ("E3", "loci.test is E3, .* or a feature of .* Did you mean E2 or E1[?]"),
        ("manva", "Did you mean manova[?]"),
        ("xyz", "features are E1, E2$"),
    ],
)
def test_unknown_test(study, test, sentence):
    with pytest.raises(UserError, match=sentence):
        run(study, test=test)


def test_loci_are_numbered_along_the_genome(study):
    change(study[1]["2"], {(3, "log10p_manova"): 30.0, (40, "log10p_manova"): 60.0})
    change(study[1]["1"], {(50, "log10p_manova"): 8.0})
    loci = run(study)
    assert loci["locus"].tolist() == [1, 2, 3, 4]
    assert loci["chrom"].tolist() == ["1", "1", "2", "2"]
    assert (loci.groupby("chrom")["pos"].diff().dropna() > 0).all()


def test_genes(study):
    path = study[0] / "genes.txt"
    path.write_text("1 14500 15500 NEAR\n1 1 13000 FAR\n2 1 5 OTHER\n")
    assert run(study, genes=str(path))["genes"].tolist() == ["NEAR,FAR"]


def test_genes_of_another_build(study):
    path = study[0] / "genes.gtf"
    path.write_text('#!genome-build GRCh38.p14\n1\tx\tgene\t14500\t15500\t.\t+\t.\tgene_id "G"; gene_name "NEAR";\n')
    with pytest.raises(UserError, match="the header names build GRCh38, but genotypes.build is GRCh37"):
        run(study, genes=str(path))
    assert run(study, genes=str(path), build="GRCh38")["genes"].tolist() == ["NEAR"]


def test_nothing_significant(study):
    loci = run(study, p1=1e-321, p2=1e-300)
    assert loci.columns.tolist() == COLUMNS
    assert loci.empty


def test_linkage_is_of_the_tested_samples(study):
    # Among samples that are all homozygous at the lead it does not vary: it claims nobody.
    folder, _ = study
    bed = open_genotypes(folder / "chr1.bed", 1)
    dosages = bed.read(np.array([14]))[:, 0]
    alike = dosages == max((0, 2), key=lambda dosage: (dosages == dosage).sum())
    write_tsv(pd.DataFrame({"iid": bed.samples["iid"], "gwas_included": alike.astype(int)}), folder / "cohort.tsv")
    assert alike.sum() > 20
    assert run(study)[["lead_id", "n_variants"]].values.tolist() == [["rs1_14", 1], ["rs1_15", 5]]


def test_only_rows_of_lead_variants_are_read(study):
    path = study[1]["1"]
    assert features(path) == ["E1", "E2"]
    rows = read_rows(path, np.array([50, 3, 17]), ["pos", "absent", "beta_E1"])
    assert rows["pos"].tolist() == [51000, 4000, 18000]
    assert rows.columns.tolist() == ["pos", "beta_E1"]


def test_mismatched_files(study):
    change(study[1]["1"], {(20, "other_allele"): "T"})
    with pytest.raises(UserError, match=r"1 of its 60 variants are missing from .*chr1\.bed"):
        run(study)


def test_missing_test_column(study):
    with pytest.raises(UserError, match=r"no column log10p_acat \(the file has the tests log10p_manova\)"):
        run(study, test="acat")


def test_samples_of_another_study(study):
    write_tsv(pd.DataFrame({"iid": ["HG00001", "HG00002"], "gwas_included": 1}), study[0] / "cohort.tsv")
    with pytest.raises(UserError, match="no sample is in both") as error:
        run(study)
    assert "HG00001" not in str(error.value)


def test_not_parquet(study):
    study[1]["1"].write_text("chrom\n")
    with pytest.raises(UserError, match="is not a Parquet file"):
        run(study)
