"""Content of the files of each format, against the Parquet files of the GWAS."""

import gzip
import hashlib
import os
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
import yaml

import contigwas
from contigwas.export.gwas_ssf import write_gwas_ssf
from contigwas.export.ldsc import write_ldsc
from contigwas.export.plink2 import write_plink2
from tests.export_files import NOTES, random_table, write_gwas_files

SETTINGS = {"features": None, "build": "GRCh38", "log10_p": False}
ORDER = ["2", "10", "X"]


def tables() -> dict[str, pd.DataFrame]:
    made = {chrom: random_table(seed, chrom, 60, ["PC1", "PC2"], ("PC2",)) for seed, chrom in enumerate(ORDER, 1)}
    table = made["10"]
    table.loc[3, ["beta_PC1", "se_PC1", "log10p_PC1", "log10p_manova"]] = np.nan
    table.loc[3, "flag"] = "MONOMORPHIC"
    table.loc[[4, 5], ["beta_PC1", "se_PC1", "log10p_PC1"]] = np.nan
    table.loc[4, "flag"] = "COLLINEAR"
    table.loc[6, "flag"] = "APPROX"
    table.loc[7, "effect_allele"], table.loc[8, "other_allele"], table.loc[9, "other_allele"] = "<DEL>", "0", "acGT"
    table.loc[10, "id"], table.loc[11, "id"], table.loc[12, "id"] = ".", "10:123:A:G", "rs12;rs13"
    table.loc[13, "log10p_PC1"], table.loc[14, "log10p_PC1"] = 400.25, 0.0
    return made


@pytest.fixture
def study(tmp_path):
    """The tables along the genome as one, and the files, which the config lists in another order."""
    made = tables()
    gwas = write_gwas_files(tmp_path / "gwas", {chrom: made[chrom] for chrom in ("10", "X", "2")})
    return pd.concat([made[chrom] for chrom in ORDER], ignore_index=True), gwas


def read(path) -> pd.DataFrame:
    return pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)


def contents(folder) -> pd.DataFrame:
    return pd.read_csv(folder / "files.tsv", sep="\t").set_index("test")


def single(texts: pd.Series) -> np.ndarray:
    return texts.to_numpy().astype(np.float32)


def test_gwas_ssf_holds_the_numbers_of_the_gwas(study, tmp_path, caplog):
    source, gwas = study
    caplog.set_level("INFO")
    write_gwas_ssf(gwas, "m", SETTINGS, tmp_path / "out")
    table = read(tmp_path / "out" / "PC1.tsv.gz")
    assert list(table.columns) == [
        *("chromosome", "base_pair_location", "effect_allele", "other_allele", "beta", "standard_error"),
        *("effect_allele_frequency", "neg_log_10_p_value", "rsid", "n"),
    ]
    out = source.index[60 + np.array([3, 4, 5, 7, 8])]
    assert contents(tmp_path / "out").loc["PC1", ["rows", "left_out"]].tolist() == [175, 5]
    reasons = contents(tmp_path / "out").loc["PC1", "reasons"]
    assert "1 flagged MONOMORPHIC" in reasons and "1 flagged COLLINEAR" in reasons and "1 without a result" in reasons
    assert "2 with alleles other than A, C, G and T" in reasons and "APPROX" not in reasons
    assert f"PC1: 175 rows, 5 left out: {reasons}" in caplog.text
    source = source.drop(index=out)
    assert table["chromosome"].tolist() == source["chrom"].replace({"X": "23"}).tolist()
    assert table["base_pair_location"].astype(int).tolist() == source["pos"].tolist()
    assert table["other_allele"].tolist() == source["other_allele"].str.upper().tolist()
    for ours, theirs in (("beta", "beta_PC1"), ("standard_error", "se_PC1"), ("effect_allele_frequency", "eaf")):
        assert (single(table[ours]) == source[theirs].to_numpy()).all(), ours
    log10p = source["log10p_PC1"].to_numpy().copy()
    assert (log10p == 0).sum() == 1 and log10p.max() == 400.25
    log10p[log10p == 0] = 1e-8
    assert (single(table["neg_log_10_p_value"]) == log10p).all()
    assert table["n"].astype(int).tolist() == source["n"].tolist()
    named = source["id"].str.fullmatch(r"rs\d+")
    assert (~named).sum() == 3
    assert table["rsid"].tolist() == source["id"].where(named, "#NA").tolist()
    keys = table["chromosome"].astype(int) * 10**9 + table["base_pair_location"].astype(int)
    assert keys.is_monotonic_increasing
    assert not (tmp_path / "out" / "manova.tsv.gz").exists()


def test_the_metadata_describes_the_file(study, tmp_path, monkeypatch):
    _, gwas = study
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    for path, day in zip(gwas.values(), (1, 2, 0), strict=True):
        os.utime(path, (0, 86400 * (365 + day) + 5))
    given = {"genotyping_technology": ["Exome array"], "sample_ancestry_category": ["European"], "sex": None}
    write_gwas_ssf(gwas, "m", SETTINGS | given, tmp_path / "out")
    sizes = {}
    for feature in ("PC1", "PC2"):
        path = tmp_path / "out" / f"{feature}.tsv.gz"
        meta = yaml.safe_load(path.with_name(f"{path.name}-meta.yaml").read_text())
        assert meta["data_file_name"] == path.name
        assert meta["data_file_md5sum"] == hashlib.md5(path.read_bytes()).hexdigest()
        assert meta["file_type"] == "GWAS-SSF v1.0"
        assert meta["genome_assembly"] == "GRCh38" and meta["coordinate_system"] == "1-based"
        assert meta["trait_description"] == [f"{feature} (feature of the model m)"]
        assert meta["adjusted_covariates"] == NOTES["covariates"]
        assert meta["analysis_software"] == f"contigwas {contigwas.__version__}"
        assert meta["is_harmonised"] is False and meta["is_sorted"] is True
        assert meta["genotyping_technology"] == ["Exome array"] and "sex" not in meta
        assert meta["samples"][0]["sample_ancestry_category"] == ["European"]
        assert meta["date_metadata_last_modified"].isoformat() == "1971-01-03", "of the newest GWAS file"
        sizes[feature] = meta["samples"][0]["sample_size"]
    largest = max(pd.read_parquet(path)["n_PC2"].max() for path in gwas.values())
    assert sizes == {"PC1": NOTES["n_samples"], "PC2": largest}, "PC2 misses samples"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    write_gwas_ssf(gwas, "m", SETTINGS, tmp_path / "out")
    meta = yaml.safe_load((tmp_path / "out" / "PC1.tsv.gz-meta.yaml").read_text())
    assert meta["date_metadata_last_modified"].isoformat() == "1970-01-02"


def test_missing_metadata_is_logged(study, tmp_path, caplog):
    write_gwas_ssf(study[1], "m", SETTINGS, tmp_path / "out")
    assert "requires genotyping_technology and sample_ancestry_category" in caplog.text
    assert "requires all autosomes (or X alone), but these files have 3 chromosomes" in caplog.text


def test_the_header_of_gzip_holds_no_name_and_no_time(study, tmp_path):
    write_gwas_ssf(study[1], "m", SETTINGS, tmp_path / "out")
    head = (tmp_path / "out" / "PC1.tsv.gz").read_bytes()[:10]
    assert head[:2] == b"\x1f\x8b" and head[3] == 0 and head[4:8] == bytes(4)


def test_plink2_text_keeps_what_was_not_tested(study, tmp_path):
    source, gwas = study
    write_plink2(gwas, SETTINGS, tmp_path / "out")
    table = read(tmp_path / "out" / "PC1.glm.linear.gz")
    assert contents(tmp_path / "out").loc["PC1", ["rows", "left_out"]].tolist() == [179, 1]
    source = source.drop(index=60 + 5)
    assert table["#CHROM"].tolist() == source["chrom"].tolist() and table["ID"].tolist() == source["id"].tolist()
    assert table["A1"].tolist() == table["ALT"].tolist() == source["effect_allele"].tolist()
    assert table["REF"].tolist() == source["other_allele"].tolist()
    assert table["OBS_CT"].astype(int).tolist() == source["n"].tolist()
    assert table["ERRCODE"].tolist() == source["flag"].replace({"": "."}).tolist()
    flagged = source["log10p_PC1"].isna().to_numpy()
    assert flagged.sum() == 2
    assert (table.loc[flagged, ["BETA", "SE", "T_STAT", "P"]] == "NA").all(axis=None)
    table, source = table[~flagged], source[~flagged]
    assert (single(table["A1_FREQ"]) == source["eaf"].to_numpy()).all()
    assert (single(table["BETA"]) == source["beta_PC1"].to_numpy()).all()
    assert (single(table["SE"]) == source["se_PC1"].to_numpy()).all()
    t = source["beta_PC1"].to_numpy(float) / source["se_PC1"].to_numpy(float)
    assert (single(table["T_STAT"]) == t.astype(np.float32)).all()
    for text, log10p in zip(table["P"], source["log10p_PC1"], strict=True):
        assert abs(Decimal(text) * Decimal(10) ** Decimal(float(log10p)) - 1) < Decimal("6e-6")
    assert "e-401" in "".join(table["P"])


def test_plink2_text_of_log10_p_and_of_a_test_over_features(study, tmp_path):
    source, gwas = study
    write_plink2(gwas, {**SETTINGS, "log10_p": True}, tmp_path / "out")
    table = read(tmp_path / "out" / "PC2.glm.linear.gz")
    assert list(table.columns)[9:] == ["BETA", "SE", "T_STAT", "LOG10_P", "ERRCODE"]
    assert (single(table["LOG10_P"]) == source["log10p_PC2"].to_numpy()).all()
    assert table["OBS_CT"].astype(int).tolist() == source["n_PC2"].tolist()
    table = read(tmp_path / "out" / "manova.omnibus.gz")
    assert list(table.columns)[7:] == ["TEST", "OBS_CT", "P", "LOG10_P", "ERRCODE"]
    assert set(table["TEST"]) == {"MANOVA"}
    known = source["log10p_manova"].notna().to_numpy()
    assert (single(table.loc[known, "LOG10_P"]) == source.loc[known, "log10p_manova"].to_numpy()).all()
    np.testing.assert_allclose(
        table.loc[known, "P"].astype(float), 10.0 ** -source.loc[known, "log10p_manova"].astype(float), rtol=6e-6
    )
    assert table.loc[~known, "P"].tolist() == ["NA"]


def test_ldsc_text_has_directions_and_no_zero(study, tmp_path):
    source, gwas = study
    first = pd.read_parquet(gwas["2"])
    first.loc[0, "se_PC1"] = 0
    write_gwas_files(gwas["2"].parent, {"2": first})
    write_ldsc(gwas, {**SETTINGS, "features": ["PC1"]}, tmp_path / "out")
    table = read(tmp_path / "out" / "PC1.sumstats.gz")
    assert list(table.columns) == ["SNP", "A1", "A2", "N", "Z", "P"]
    row = contents(tmp_path / "out").loc["PC1"]
    assert [row["rows"], row["left_out"]] == [172, 8]
    assert "3 that are not SNPs" in row["reasons"] and "1 without an identifier" in row["reasons"]
    assert "1 with a standard error of 0" in row["reasons"]
    source = source.drop(index=[0, *(60 + np.array([3, 4, 5, 7, 8, 9, 10]))])
    assert table["SNP"].tolist() == source["id"].tolist()
    assert table["A1"].tolist() == source["effect_allele"].tolist()
    assert table["N"].astype(int).tolist() == source["n"].tolist()
    z = source["beta_PC1"].to_numpy(float) / source["se_PC1"].to_numpy(float)
    assert (single(table["Z"]) == z.astype(np.float32)).all()
    p = table["P"].astype(float).to_numpy()
    np.testing.assert_allclose(p, 10.0 ** -np.minimum(source["log10p_PC1"].to_numpy(float), 300), rtol=6e-6)
    assert p.min() == 1e-300


def test_an_untested_study_is_not_silently_empty(tmp_path):
    """A variant of every reason and none that is left: a header, and every row accounted for."""
    table = tables()["10"].iloc[[3, 4, 5, 7, 8]]
    gwas = write_gwas_files(tmp_path / "gwas", {"10": table})
    write_gwas_ssf(gwas, "m", {**SETTINGS, "features": ["PC1"]}, tmp_path / "out")
    assert gzip.decompress((tmp_path / "out" / "PC1.tsv.gz").read_bytes()).count(b"\n") == 1
    assert contents(tmp_path / "out").loc["PC1", ["rows", "left_out"]].tolist() == [0, 5]
