"""The burden against a loop over genes, masks and variants on dense arrays."""

import json

import numpy as np
import pandas as pd
import pytest

from contigwas.burden import carriers, write_burden
from contigwas.modality import read_modality
from tests.modalities import burden_settings, write_cohort
from tests.plink_files import iids, write_plink

MASKS = {"lof": ["LoF"], "damaging": ["LoF", "missense"], "all": ["LoF", "missense", "synonymous"]}
CATEGORIES = ["LoF", "missense", "synonymous"]
PEOPLE, VARIANTS = 400, 300


@pytest.fixture(params=[0.002, 0.02, 1.0])
def study(request, tmp_path):
    """Two chromosomes, rare to common variants, missing calls, overlapping genes, variants of the sets not called."""
    rng = np.random.default_rng(12)
    names = np.array(iids(PEOPLE))
    calls, annotations, sets = {}, [], []
    for chrom in ("1", "2"):
        frequency = np.where(rng.random(VARIANTS) < 0.8, 10 ** rng.uniform(-3.5, -1.5, VARIANTS), 0.3)
        dosages = rng.binomial(2, frequency, (PEOPLE, VARIANTS)).astype(np.int8)
        dosages[rng.random(dosages.shape) < 0.02] = -127
        order = rng.permutation(PEOPLE)
        ids = [f"v{chrom}_{number}" for number in range(VARIANTS)]
        write_plink(tmp_path / f"chr{chrom}.bed", dosages[order], names[order].tolist(), chrom, sid=ids)
        calls |= {name: dosages[:, number] for number, name in enumerate(ids)}
        for gene in range(25):
            start = rng.integers(0, VARIANTS - 30)
            members = [*ids[start : start + rng.integers(1, 30)], f"absent{gene}"]
            kept = [name for name in members if rng.random() < 0.9]
            annotations += [(name, f"G{chrom}_{gene}", CATEGORIES[rng.integers(3)]) for name in kept]
            sets.append((f"G{chrom}_{gene}", chrom, 1000 * start, ",".join(members)))
    pd.DataFrame(annotations).sample(frac=1, random_state=1).to_csv(
        tmp_path / "annotations.tsv", sep=" ", index=False, header=False
    )
    pd.DataFrame(sets).to_csv(tmp_path / "sets.tsv", sep="\t", index=False, header=False)
    chosen = rng.permutation(PEOPLE)[:350]
    cohort = write_cohort(tmp_path, names[chosen].tolist(), names[chosen[:20]].tolist())
    return tmp_path, cohort, names, chosen[20:], calls, annotations, sets, request.param


def test_every_gene_and_mask(study, monkeypatch):
    monkeypatch.setattr(carriers, "BLOCK_BYTES", 330 * 17)
    folder, cohort, names, people, calls, annotations, sets, max_aaf = study
    settings = burden_settings(masks=MASKS, max_aaf=max_aaf)
    write_burden(
        folder / "chr{chrom}.bed", [1, 2], folder / "annotations.tsv", folder / "sets.tsv", cohort, settings,
        folder / "burden.h5ad",
    )  # fmt: skip
    data = read_modality(folder / "burden.h5ad")
    assert data.obs_names.tolist() == names[people].tolist()
    values = pd.DataFrame(data.X.toarray(), columns=data.var_names)
    seen = 0
    for gene, chrom, pos, members in sets:
        for mask, categories in MASKS.items():
            burden, used, missing = np.zeros(len(people)), 0, 0
            for name in members.split(","):
                if name not in calls or not any((name, gene, one) in annotations for one in categories):
                    continue
                call = calls[name][people]
                alleles = np.where(call < 0, 0, call)
                frequency = alleles.sum() / (2 * (call >= 0).sum())
                if 0 < frequency <= max_aaf:
                    burden = np.maximum(burden, alleles)
                    used += 1
                    missing += (call < 0).sum()
            if not burden.any():
                assert f"{gene}.{mask}" not in values
                continue
            seen += 1
            np.testing.assert_array_equal(values[f"{gene}.{mask}"], burden)
            told = data.var.loc[f"{gene}.{mask}"]
            assert (told["gene"], told["mask"], told["chrom"], told["pos"]) == (gene, mask, chrom, pos)
            assert (told["carriers"], told["variants"], told["missing"]) == ((burden > 0).sum(), used, missing)
            assert used + sum(json.loads(told["dropped"]).values()) == len(members.split(","))
    assert seen == values.shape[1] > 50
