"""One VCF with VEP's annotations, made into .pgen, .bed and split files by plink2: burdens by a loop over its lines."""

import json
import subprocess

import numpy as np
import pytest

from contigwas.burden import write_burden
from contigwas.tables.anndata_io import read_modality
from tests.modalities import burden_settings, write_cohort
from tests.plink_files import iids

NAMES = iids(25)
SITES = [  # pos, id, ref, alternate alleles, consequence and gene of each
    (100, "rs1", "G", ["A"], [("stop_gained", "HIGH", "G1")]),
    (200, "rs2", "G", ["A", "T"], [("stop_gained", "HIGH", "G1"), ("synonymous_variant", "LOW", "G1")]),
    (300, ".", "GTC", ["G"], [("frameshift_variant", "HIGH", "G1")]),
    (400, ".", "G", ["GT", "GTT"], [("frameshift_variant", "HIGH", "G2"), ("inframe_insertion", "MODERATE", "G2")]),
    (500, "rs5", "C", ["T"], [("missense_variant", "MODERATE", "G2")]),
]


def vep_allele(ref, alternatives, alt):
    """VEP names the alleles of an indel without their first base."""
    return alt if all(len(one) == len(ref) for one in alternatives) else alt[1:] or "-"


@pytest.fixture(scope="module")
def study(tmp_path_factory, oracle):
    """study.vcf, and copies from[.split].pgen and .bed; the alleles (samples, 2) of every site."""
    folder = tmp_path_factory.mktemp("formats")
    rng = np.random.default_rng(5)
    lines = ["##fileformat=VCFv4.2", "##contig=<ID=1>"]
    lines.append('##INFO=<ID=CSQ,Number=.,Type=String,Description="VEP. Format: Allele|Consequence|IMPACT|SYMBOL">')
    lines.append('##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">')
    lines.append("\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *NAMES]))
    alleles = {}
    for pos, name, ref, alternatives, reported in SITES:
        drawn = rng.choice(1 + len(alternatives), (len(NAMES), 2), p=[0.8, *[0.2 / len(alternatives)] * len(reported)])
        alleles[pos] = drawn
        csq = ",".join(
            "|".join([vep_allele(ref, alternatives, alt), *one])
            for alt, one in zip(alternatives, reported, strict=True)
        )
        calls = [f"{min(one)}/{max(one)}" for one in drawn.tolist()]
        lines.append(
            "\t".join(["1", str(pos), name, ref, ",".join(alternatives), ".", ".", f"CSQ={csq}", "GT", *calls])
        )
    (folder / "study.vcf").write_text("\n".join(lines) + "\n")
    plink2 = [oracle("plink2"), "--vcf", folder / "study.vcf", "--double-id"]
    made = {
        "whole": ["--make-pgen"],
        "split": ["--make-pgen", "multiallelics=-"],
        "bed": ["--max-alleles", "2", "--make-bed"],
    }
    for name, options in made.items():
        command = [*plink2, *options, "--out", folder / name]
        subprocess.run(list(map(str, command)), check=True, capture_output=True)
    return folder, alleles


@pytest.mark.parametrize(("file", "split"), [("whole.pgen", False), ("split.pgen", True), ("bed.bed", False)])
@pytest.mark.parametrize("listed", [False, True])
def test_a_vcf_annotates_what_plink2_made_of_it(study, tmp_path, file, split, listed):
    folder, alleles = study
    sets = tmp_path / "sets.txt"
    sets.write_text("G1 1 100 rs1,1:200:G:A,1:200:G:T,1:300:GTC:G\nG2 1 400 1:400:G:GT,1:400:G:GTT,rs5\n")
    settings = burden_settings(masks={"lof": ["LoF"], "missense": ["missense"]}, max_aaf=1, statistic="sum")
    cohort, out = write_cohort(tmp_path, NAMES), tmp_path / "burden.h5ad"
    write_burden(folder / file, [1], folder / "study.vcf", sets if listed else None, cohort, settings, out)
    data = read_modality(out)
    expected, left_out = {}, 0
    for pos, _, _, alternatives, reported in SITES:
        if len(alternatives) > 1 and not split:
            left_out += 1
            continue
        for number, (consequence, impact, gene) in enumerate(reported, 1):
            mask = "lof" if impact == "HIGH" else "missense" if consequence == "missense_variant" else None
            if mask:
                count = (alleles[pos] == number).sum(axis=1)
                expected[f"{gene}.{mask}"] = expected.get(f"{gene}.{mask}", 0) + count
    assert left_out == (0 if split else 2)
    assert sorted(data.var_names) == sorted(expected)
    for feature, burden in expected.items():
        np.testing.assert_array_equal(data[:, feature].X.toarray().ravel(), burden)
    if listed and not split:
        assert json.loads(data.var.loc["G1.lof", "dropped"]) == {"not in genotypes": 1, "category": 1}
