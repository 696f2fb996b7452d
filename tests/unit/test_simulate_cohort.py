"""The simulated cohort: the same bytes by seed, and files that agree with each other and with the stated truth."""

import gzip
import hashlib
import logging

import numpy as np
import pandas as pd
import pytest
from bed_reader import open_bed

from contigwas.runtime.errors import UserError
from contigwas.simulate.cohort import simulate_cohort
from contigwas.simulate.genomes import Chromosome
from contigwas.simulate.settings import LATENTS, Simulation
from contigwas.simulate.traits import choose_causal, make_latents

SETTINGS = {
    "folder": "unused",
    "n_samples": 400,
    "chromosomes": 2,
    "megabases": 0.5,
    "related_pairs": 10,
    "polygenic_snps": 30,
    "polygenic_h2": 0.22,
    "planted_q2": [0.05, 0.03],
    "burden_q2": 0.02,
    "ancestry_shift": 1.0,
    "pgs": {"relevant": 6, "irrelevant": 2, "noise": 0.9},
    "missing_calls": 0.01,
    "missing_rate": 0.1,
    "image_size": 64,
    "unusable_images": 3,
    "nuisance": 1.0,
}
COMPLEMENT = str.maketrans("ACGT", "TGCA")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("cohort")
    simulate_cohort(path, SETTINGS, "GRCh37", 7)
    return path


def table(path):
    return pd.read_csv(path, sep="\t", dtype={"iid": str, "fid": str, "chrom": str}, keep_default_na=False)


def bed(folder, chrom):
    """Dosages of the effect allele as float with NaN, and the .bim as a table."""
    stem = folder / f"chr{chrom}"
    with open_bed(stem.with_suffix(".bed"), num_threads=1) as reader:
        values = reader.read(dtype="float32")
    bim = pd.read_csv(stem.with_suffix(".bim"), sep=r"\s+", header=None, dtype={0: str})
    return values, bim.set_axis(["chrom", "id", "cm", "pos", "effect", "other"], axis=1)


def samples(folder, chrom=1):
    return pd.read_csv(folder / f"chr{chrom}.fam", sep=r"\s+", header=None, dtype=str)[1].tolist()


def digest(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.blake2b(path.read_bytes()).hexdigest() for path in files}


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(folder, tmp_path):
    simulate_cohort(tmp_path / "again", SETTINGS, "GRCh37", 7)
    assert digest(tmp_path / "again") == digest(folder)
    simulate_cohort(tmp_path / "other", SETTINGS, "GRCh37", 8)
    other = digest(tmp_path / "other")
    first = digest(folder)
    assert other.keys() == first.keys()
    assert not [name for name, one in first.items() if other[name] == one]


def test_array_holds_the_common_and_exome_the_rare_variants_with_calls_missing_as_asked(folder):
    for chrom in (1, 2):
        common, bim = bed(folder / "genotypes", chrom)
        rare, exome = bed(folder / "exome", chrom)
        unseen = 2 * np.isnan(common).sum(axis=0)
        for alleles in (np.nansum(common, axis=0), np.nansum(2 - common, axis=0)):
            assert ((alleles + unseen) / (2 * SETTINGS["n_samples"])).min() >= 0.01
        assert (np.nansum(rare, axis=0) / (2 * SETTINGS["n_samples"])).max() < 0.01
        assert np.isnan(common).mean() == pytest.approx(0.01, rel=0.15)
        for one in (bim, exome):
            assert one["pos"].is_monotonic_increasing
            assert one["pos"].between(1, 500_000).all()
            assert (
                one["id"] == one["chrom"] + ":" + one["pos"].astype(str) + ":" + one["other"] + ":" + one["effect"]
            ).all()
            assert set(one["effect"]) | set(one["other"]) == set("ACGT")
            assert (one["effect"] != one["other"]).all()
        ambiguous = (bim["effect"].str.translate(COMPLEMENT) == bim["other"]).mean()
        assert 0.05 < ambiguous < 0.3


def test_samples_lack_modalities_and_stand_in_another_order_in_the_exome(folder):
    array, exome = samples(folder / "genotypes"), samples(folder / "exome")
    assert array == samples(folder / "genotypes", 2)
    assert exome == samples(folder / "exome", 2)
    assert len(set(array)) == 400
    assert all(len(one) == 7 and one.isdigit() for one in array)
    assert len(set(exome)) == len(exome) == 360
    assert set(exome) < set(array)
    assert exome != [one for one in array if one in set(exome)]
    covariates = table(folder / "covariates.tsv")
    assert len(covariates) == covariates["iid"].nunique() == 360
    assert set(covariates["sex"]) == {1, 2}
    assert covariates["age"].between(40, 69).all()
    assert table(folder / "latents.tsv")["iid"].tolist() == array


def test_exome_calls_belong_to_the_samples_they_are_filed_under(folder, tmp_path):
    everyone = {**SETTINGS, "missing_rate": 0.0, "missing_calls": 0.0}
    simulate_cohort(tmp_path, everyone, "GRCh37", 7)
    truth, latents = table(tmp_path / "truth.tsv"), table(tmp_path / "latents.tsv").set_index("iid")
    sets = pd.read_csv(tmp_path / "exome" / "sets.tsv", sep=r"\s+", header=None, index_col=0)
    kinds = pd.read_csv(tmp_path / "exome" / "annotations.tsv", sep=r"\s+", header=None, index_col=0)[2]
    for gene in truth[truth["kind"] == "gene"].itertuples():
        rare, bim = bed(tmp_path / "exome", gene.chrom)
        frequency = rare.mean(axis=0) / 2
        ids = [one for one in sets.loc[gene.id, 3].split(",") if kinds[one] in ("LoF", "missense")]
        damaging = bim["id"].isin(ids).to_numpy() & (frequency <= 0.5 / 400 + 1e-9)
        carrier = rare[:, damaging].any(axis=1)
        assert gene.af == pytest.approx(frequency[damaging].sum(), abs=1e-5)
        trait = latents.loc[samples(tmp_path / "exome"), gene.latent].to_numpy()
        # carriers are few: their difference in SD has a standard error of 1 / sqrt(carriers)
        p = carrier.mean()
        expected, error = np.sqrt(gene.q2 / (p * (1 - p))), 1 / np.sqrt(carrier.sum())
        assert abs(abs(trait[carrier].mean() - trait[~carrier].mean()) - expected) < 3.5 * error


def test_sets_and_annotations_name_the_variants_of_the_exome(folder):
    sets = [line.split() for line in (folder / "exome" / "sets.tsv").read_text().splitlines()]
    notes = [line.split() for line in (folder / "exome" / "annotations.tsv").read_text().splitlines()]
    ids = {chrom: set(bed(folder / "exome", chrom)[1]["id"]) for chrom in (1, 2)}
    assert len({gene for gene, *_ in sets}) == len(sets) > 4
    for _, chrom, start, variants in sets:
        assert set(variants.split(",")) <= ids[int(chrom)]
        assert all(int(one.split(":")[1]) >= int(start) for one in variants.split(","))
    listed = [(variant, gene) for gene, _, _, variants in sets for variant in variants.split(",")]
    assert sorted(listed) == sorted((variant, gene) for variant, gene, _ in notes)
    assert {variant for variant, *_ in notes} == ids[1] | ids[2]
    assert {kind for *_, kind in notes} == {"LoF", "missense", "synonymous"}


def test_truth_agrees_with_the_genotypes(folder):
    truth = table(folder / "truth.tsv")
    assert list(truth) == [
        "kind",
        "chrom",
        "pos",
        "id",
        "effect_allele",
        "other_allele",
        "af",
        "latent",
        "q2",
        "marginal_q2",
        "on_grid",
    ]
    snps = truth[truth["kind"] != "gene"]
    for chrom, part in snps.groupby("chrom"):
        values, bim = bed(folder / "genotypes", chrom)
        rows = pd.Index(bim["id"]).get_indexer(part["id"])
        assert (rows >= 0).all()
        assert (bim["pos"].to_numpy()[rows] == part["pos"]).all()
        assert (bim["effect"].to_numpy()[rows] == part["effect_allele"]).all()
        assert (bim["other"].to_numpy()[rows] == part["other_allele"]).all()
        assert ((rows % 10 == 0) == (part["on_grid"] == 1)).all()
        np.testing.assert_allclose(np.nanmean(values[:, rows], axis=0) / 2, part["af"].astype(float), atol=0.02)
    planted = truth[truth["kind"] == "planted"]
    assert set(planted["on_grid"]) == {0, 1}
    assert planted["af"].astype(float).between(0.2, 0.8).all()
    # alone and within populations, a planted SNP explains about what it was given: linked SNPs are small beside it
    assert (planted["marginal_q2"].astype(float) / planted["q2"].astype(float)).between(0.2, 3).all()
    polygenic = truth[truth["kind"] == "polygenic"]
    assert (polygenic.groupby("latent")["q2"].nunique() == 1).all()
    genes = truth[truth["kind"] == "gene"]
    assert set(genes["latent"]) == {"tortuosity", "lesions"}
    assert set(genes["q2"]) == {0.02}


def test_latents_have_unit_sd(folder):
    latents = table(folder / "latents.tsv")
    assert list(latents) == ["fid", "iid", *LATENTS]
    np.testing.assert_allclose(latents[list(LATENTS)].std(ddof=0), 1, atol=1e-3)


def test_pigment_and_only_pigment_differs_between_the_populations():
    population = np.arange(4000) % 4 == 0
    none = pd.DataFrame(columns=["exome", "gene", "latent", "effect"])
    for shift in (0.0, 1.0):
        plan = Simulation.of({**SETTINGS, "n_samples": 4000, "ancestry_shift": shift})
        latents = make_latents(np.zeros((4000, 6)), [], none, population, plan, np.random.default_rng(1))
        difference = dict(
            zip(LATENTS, latents[population].mean(axis=0) - latents[~population].mean(axis=0), strict=True)
        )
        assert difference.pop("pigment") == pytest.approx(shift, abs=0.12)
        assert np.abs(list(difference.values())).max() < 0.12


def test_a_small_genome_gets_fewer_planted_snps_well_apart_and_says_so(folder, tmp_path, caplog):
    planted = table(folder / "truth.tsv").query("kind == 'planted'")
    assert planted["latent"].nunique() == len(planted) == 6
    for _, part in planted.groupby("chrom"):
        assert np.diff(np.sort(part["pos"])).min() >= 100_000
    with caplog.at_level(logging.INFO):
        simulate_cohort(tmp_path, {**SETTINGS, "n_samples": 80, "chromosomes": 1}, "GRCh37", 7)
    assert "room for 1 planted SNPs per trait" in caplog.text
    assert not any(iid in caplog.text for iid in samples(tmp_path / "genotypes"))


def test_large_genomes_have_planted_snps_400_kb_apart():
    rng = np.random.default_rng(3)
    plan = Simulation.of({**SETTINGS, "megabases": 2.5, "chromosomes": 3, "n_samples": 1000, "polygenic_snps": 60})
    array = []
    for chrom in range(1, 4):
        counts = rng.binomial(2, rng.uniform(0.1, 0.9, (1000, 1)), (1000, 1000)).astype(np.int8)
        bases = np.array([("A", "G"), ("A", "T")], dtype=object)[rng.integers(0, 2, 1000)]
        array.append(Chromosome(str(chrom), np.arange(1, 1001) * 2500, bases[:, 0], bases[:, 1], counts))
    causal = choose_causal(array, np.repeat([0, 1], 500), plan, rng)
    planted = causal[causal["kind"] == "planted"]
    assert sorted(planted["q2"]) == [0.03] * 6 + [0.05] * 6
    assert planted.groupby("latent")["row"].agg(lambda rows: sorted(rows % 10 == 0)).tolist() == [[False, True]] * 6
    for chromosome, part in planted.groupby("chromosome"):
        assert np.diff(np.sort(array[chromosome].pos[part["row"]])).min() >= 400_000
        assert not array[chromosome].ambiguous[part["row"]].any()
    # the polygenic background explains its heritability, each SNP as much as the other
    polygenic = causal[(causal["kind"] == "polygenic") & (causal["latent"] == 0)]
    assert len(polygenic) == 60
    assert np.ptp(polygenic["effect"].abs()) < 1e-12
    dosage = np.stack([array[one.chromosome].counts[one.row] for one in polygenic.itertuples()]).astype(float)
    dosage = (dosage - dosage.mean(1, keepdims=True)) / dosage.std(1, keepdims=True)
    assert (polygenic["effect"].to_numpy() @ dosage).var() == pytest.approx(0.22)


def read_score(path):
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    header = dict(line[1:].split("=", 1) for line in lines if line.startswith("#") and "=" in line)
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    return header, pd.DataFrame(rows[1:], columns=rows[0])


def test_relevant_scores_explain_what_noise_leaves_and_come_as_others_publish_them(folder):
    genotypes = {}
    for chrom in ("1", "2"):
        values, bim = bed(folder / "genotypes", chrom)
        values = np.where(np.isnan(values), np.nanmean(values, axis=0), values)
        for column, row in enumerate(bim.itertuples()):
            genotypes[chrom, row.pos] = (row.effect, row.other, values[:, column])
    latents = table(folder / "latents.tsv")
    outcomes = {"swapped": 0, "flipped": 0, "unknown": 0, "ambiguous": 0}
    for number in range(1, 9):
        header, rows = read_score(folder / "pgs" / f"SIM{number:06d}.txt.gz")
        assert header["pgs_id"] == f"SIM{number:06d}"
        assert header["genome_build"] == "GRCh37"
        assert int(header["variants_number"]) == len(rows)
        assert list(rows) == ["rsID", "chr_name", "chr_position", "effect_allele", "other_allele", "effect_weight"]
        score = np.zeros(SETTINGS["n_samples"])
        for row in rows.itertuples():
            key = (row.chr_name, int(row.chr_position))
            if key not in genotypes:
                outcomes["unknown"] += 1
                continue
            effect, other, dosage = genotypes[key]
            given = (row.effect_allele, row.other_allele)
            if effect.translate(COMPLEMENT) == other:
                outcomes["ambiguous"] += 1
                continue
            if set(given) != {effect, other}:
                outcomes["flipped"] += 1
                given = tuple(one.translate(COMPLEMENT) for one in given)
            assert set(given) == {effect, other}
            outcomes["swapped"] += given[0] == other
            score += float(row.effect_weight) * (dosage if given[0] == effect else 2 - dosage)
        r = [np.corrcoef(score, latents[name])[0, 1] for name in LATENTS]
        if number <= 6:
            assert header["trait_reported"] == f"simulated {LATENTS[number - 1]}"
            assert r[number - 1] > 0
            assert r[number - 1] ** 2 == pytest.approx(0.1, abs=0.03)
        else:
            assert "unrelated" in header["trait_reported"]
            assert max(np.abs(r)) < 0.3
    assert min(outcomes.values()) > 0


def test_settings_that_contradict_each_other_are_refused_in_a_sentence(tmp_path):
    with pytest.raises(UserError, match=r"add up to 1\.0"):
        simulate_cohort(tmp_path, {**SETTINGS, "polygenic_h2": 0.9}, "GRCh37", 1)
    with pytest.raises(UserError, match="related_pairs is 200"):
        simulate_cohort(tmp_path, {**SETTINGS, "related_pairs": 200}, "GRCh37", 1)
    assert not list(tmp_path.iterdir())


def test_traits_without_any_genetics_are_environment_only(tmp_path):
    scores = {"relevant": 0, "irrelevant": 0, "noise": 0.5}
    nothing = {"polygenic_snps": 0, "planted_q2": [], "burden_q2": 0.0, "pgs": scores}
    simulate_cohort(tmp_path, {**SETTINGS, **nothing}, "GRCh37", 7)
    assert table(tmp_path / "truth.tsv").empty
    assert not list((tmp_path / "pgs").iterdir())
    np.testing.assert_allclose(table(tmp_path / "latents.tsv")[list(LATENTS)].std(ddof=0), 1, atol=1e-3)
