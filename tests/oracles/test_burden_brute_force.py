"""The burden against a loop over genes, masks and variants on dense arrays."""

import gzip
import json

import numpy as np
import pandas as pd
import pytest

from contigwas.burden import carriers, write_burden
from contigwas.tables.anndata_io import read_modality
from tests.modalities import burden_settings, write_cohort
from tests.plink_files import iids, write_plink

MASKS = {"lof": ["LoF"], "damaging": ["LoF", "missense"], "all": ["LoF", "missense", "synonymous"]}
CATEGORIES = ["LoF", "missense", "synonymous"]
SAMPLES, VARIANTS = 400, 300
STATISTICS = {
    "max": lambda alleles: alleles.max(axis=1, initial=0),
    "sum": lambda alleles: alleles.sum(axis=1),
    "comphet": lambda alleles: np.minimum(alleles.sum(axis=1), 2),
    "binary": lambda alleles: alleles.any(axis=1).astype(int),
}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Two chromosomes, rare to common variants, missing calls, overlapping genes, variants of the sets not called."""
    folder = tmp_path_factory.mktemp("study")
    rng = np.random.default_rng(12)
    names = np.array(iids(SAMPLES))
    calls, annotations, sets = {}, [], []
    for chrom in ("1", "2"):
        frequency = np.where(rng.random(VARIANTS) < 0.8, 10 ** rng.uniform(-3.5, -1.5, VARIANTS), 0.3)
        dosages = rng.binomial(2, frequency, (SAMPLES, VARIANTS)).astype(np.int8)
        dosages[rng.random(dosages.shape) < rng.choice([0.01, 0.03], VARIANTS)] = -127
        order = rng.permutation(SAMPLES)
        ids = [f"v{chrom}_{number}" for number in range(VARIANTS)]
        write_plink(folder / f"chr{chrom}.bed", dosages[order], names[order].tolist(), chrom, sid=ids)
        calls |= {name: dosages[:, number] for number, name in enumerate(ids)}
        for gene in range(25):
            start = rng.integers(0, VARIANTS - 30)
            members = [*ids[start : start + rng.integers(1, 30)], f"absent{gene}"]
            kept = [name for name in members if rng.random() < 0.9]
            annotations += [(name, f"G{chrom}_{gene}", CATEGORIES[rng.integers(3)]) for name in kept]
            sets.append((f"G{chrom}_{gene}", chrom, 1000 * start, ",".join(members)))
    # neither the order of the annotations nor that of the sets may matter
    text = pd.DataFrame(annotations).sample(frac=1, random_state=1).to_csv(sep=" ", index=False, header=False)
    (folder / "annotations.txt").write_bytes(gzip.compress(text.encode()))
    sets = [sets[number] for number in rng.permutation(len(sets))]
    pd.DataFrame(sets).to_csv(folder / "sets.tsv", sep="\t", index=False, header=False)
    external = {name: (10 ** rng.uniform(-4, -0.5), int(rng.random() < 0.2)) for name in calls if rng.random() < 0.9}
    (folder / "aaf.tsv").write_text("".join(f"{name}\t{aaf:.17g}\t{one}\n" for name, (aaf, one) in external.items()))
    masks = "".join(f"{name}\t{','.join(categories)}\n" for name, categories in MASKS.items())
    (folder / "masks.txt").write_text(masks)
    chosen = rng.permutation(SAMPLES)[:350]
    cohort = write_cohort(folder, names[chosen].tolist(), names[chosen[:20]].tolist())
    return folder, cohort, names, chosen[20:], calls, set(annotations), sets, external


@pytest.mark.parametrize(
    ("statistic", "max_aaf", "max_missing", "aaf", "singletons"),
    [
        ("max", 0.002, 1, False, True),
        ("max", 0.02, 0.02, False, False),
        ("max", 1.0, 1, False, False),
        ("max", 0.02, 1, True, True),
        ("sum", 0.02, 1, False, True),
        ("sum", 1.0, 0.02, False, False),
        ("sum", 0.02, 1, True, False),
        ("comphet", 0.02, 1, False, False),
        ("comphet", 1.0, 0.02, True, False),
        ("binary", 0.002, 0.02, False, False),
        ("binary", 1.0, 1, False, True),
    ],
)
def test_every_gene_and_mask(study, tmp_path, monkeypatch, statistic, max_aaf, max_missing, aaf, singletons):
    monkeypatch.setattr(carriers, "BLOCK_BYTES", 330 * 17)
    folder, cohort, names, samples, calls, annotations, sets, external = study
    settings = burden_settings(
        masks=str(folder / "masks.txt"), statistic=statistic, max_aaf=max_aaf, max_missing=max_missing,
        aaf=str(folder / "aaf.tsv") if aaf else None, singletons=singletons,
    )  # fmt: skip
    write_burden(
        folder / "chr{chrom}.bed", [1, 2], folder / "annotations.txt", folder / "sets.tsv", cohort, settings,
        tmp_path / "burden.h5ad",
    )  # fmt: skip
    data = read_modality(tmp_path / "burden.h5ad")
    assert data.obs_names.tolist() == names[samples].tolist()
    values = pd.DataFrame(data.X.toarray(), columns=data.var_names)
    features = [(one, kind) for one in MASKS for kind in (["", ".singleton"] if singletons else [""])]
    seen = []
    for chrom_of_sets in ("1", "2"):
        for gene, chrom, pos, members in sets:
            for mask, kind in features:
                if chrom != chrom_of_sets:
                    continue
                used, missing = [], 0
                for name in members.split(","):
                    if name not in calls or not any((name, gene, one) in annotations for one in MASKS[mask]):
                        continue
                    call = calls[name][samples]
                    alleles = np.where(call < 0, 0, call)
                    frequency = alleles.sum() / (2 * (call >= 0).sum())
                    single = alleles.sum() == 1
                    if aaf:
                        deciding, single = external.get(name, (np.inf, 0))
                    else:
                        deciding = frequency
                    if (call < 0).mean() > max_missing or deciding > max_aaf or not alleles.any():
                        continue
                    if kind and not single:
                        continue
                    used.append(alleles)
                    missing += (call < 0).sum()
                burden = STATISTICS[statistic](np.array(used).reshape(-1, len(samples)).T)
                feature = f"{gene}.{mask}{kind}"
                if not burden.any():
                    assert feature not in values
                    continue
                seen.append(feature)
                np.testing.assert_array_equal(values[feature], burden)
                reported = data.var.loc[feature]
                assert (reported["gene"], reported["mask"], reported["chrom"], reported["pos"]) == (
                    gene,
                    mask + kind,
                    chrom,
                    pos,
                )
                assert (reported["carriers"], reported["variants"], reported["missing"]) == (
                    (burden > 0).sum(),
                    len(used),
                    missing,
                )
                assert len(used) + sum(json.loads(reported["dropped"]).values()) == len(members.split(","))
    assert seen == data.var_names.tolist()
    assert len(seen) > 40


def test_with_external_frequencies_a_burden_depends_on_nobody_else(study, tmp_path):
    folder, _, names, samples, *_ = study
    settings = burden_settings(masks=MASKS, statistic="sum", max_aaf=0.05, aaf=str(folder / "aaf.tsv"), singletons=True)
    files = folder / "chr{chrom}.bed", [1, 2], folder / "annotations.txt", folder / "sets.tsv"
    found = []
    for chosen in (samples, samples[::-1][:60]):
        cohort = write_cohort(tmp_path, names[chosen].tolist())
        write_burden(*files, cohort, settings, tmp_path / "burden.h5ad")
        data = read_modality(tmp_path / "burden.h5ad")
        found.append(pd.DataFrame(data.X.toarray(), data.obs_names, data.var_names))
    everyone, some = found
    assert len(some.columns) < len(everyone.columns), "what nobody of a run carries is left out of it"
    filled = some.reindex(columns=everyone.columns, fill_value=0)
    pd.testing.assert_frame_equal(filled, everyone.loc[some.index], check_dtype=False)


def test_without_them_it_depends_on_the_others_through_frequencies(study, tmp_path):
    folder, _, names, samples, *_ = study
    files = folder / "chr{chrom}.bed", [1, 2], folder / "annotations.txt", folder / "sets.tsv"
    found = []
    for chosen in (samples, samples[::-1][:60]):
        cohort = write_cohort(tmp_path, names[chosen].tolist())
        write_burden(*files, cohort, burden_settings(masks=MASKS, max_aaf=0.01), tmp_path / "burden.h5ad")
        data = read_modality(tmp_path / "burden.h5ad")
        found.append(pd.DataFrame(data.X.toarray(), data.obs_names, data.var_names))
    everyone, some = found
    both = everyone.columns.intersection(some.columns)
    assert (everyone.loc[some.index, both] != some[both]).to_numpy().any()
