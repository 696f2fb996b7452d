"""Which files stand beside a file of genotypes."""

import pytest

from contigwas.genotypes.files import genotype_files


def named(**files: list[str]) -> dict[str, list[str]]:
    return {"genotypes": [], "genotyped_variants": [], "genotyped_samples": []} | files


def test_a_file_for_each_chromosome_and_one_for_all():
    found = genotype_files("a/chr{chrom}.bed", [1, "X"])
    assert found == named(
        genotypes=["a/chr1.bed", "a/chrX.bed"],
        genotyped_variants=["a/chr1.bim", "a/chrX.bim"],
        genotyped_samples=["a/chr1.fam", "a/chrX.fam"],
    )
    assert genotype_files("all.v2.pgen", [1, 2]) == named(
        genotypes=["all.v2.pgen"], genotyped_variants=["all.v2.pvar"], genotyped_samples=["all.v2.psam"]
    )


@pytest.mark.parametrize(
    ("there", "variants", "samples"),
    [
        ([], [], "a.bgen"),
        (["a.bgen.bgi"], ["a.bgen.bgi"], "a.bgen"),
        (["a.sample", "a.bgen.bgi"], ["a.bgen.bgi"], "a.sample"),
    ],
)
def test_what_a_bgen_may_do_without(tmp_path, there, variants, samples):
    for name in there:
        (tmp_path / name).touch()
    found = genotype_files(str(tmp_path / "a.bgen"), [1])
    assert found["genotyped_variants"] == [str(tmp_path / name) for name in variants]
    assert found["genotyped_samples"] == [str(tmp_path / samples)]


def test_a_packed_pvar(tmp_path):
    (tmp_path / "a.pvar.zst").touch()
    pattern = str(tmp_path / "a.pgen")
    assert genotype_files(pattern, [1])["genotyped_variants"] == [str(tmp_path / "a.pvar.zst")]
    (tmp_path / "a.pvar").touch()
    assert genotype_files(pattern, [1])["genotyped_variants"] == [str(tmp_path / "a.pvar")]
