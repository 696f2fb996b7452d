"""Leave-one-chromosome-out predictions: read, joined by name, taken out of the features."""

import gzip
import logging

import numpy as np
import pandas as pd
import pytest

from contigwas.gwas.design import design
from contigwas.gwas.gwas import write_gwas
from contigwas.gwas.offsets import read_offsets
from contigwas.gwas.summary import read_lambda
from contigwas.runtime.errors import UserError
from tests.gwas_files import SETTINGS, arrays, least_squares, write_study
from tests.plink_files import child, iids, simulate


def write_loco(folder, predictions, names, features, chromosomes=("1", "2"), gzipped=False):
    """REGENIE's files: `predictions` (chromosomes, samples, features)."""
    folder.mkdir(exist_ok=True)
    lines = []
    for column, feature in enumerate(features):
        path = folder / (f"step1_{column + 1}.loco" + (".gz" if gzipped else ""))
        opened = gzip.open if gzipped else open
        with opened(path, "wt") as file:
            file.write(" ".join(["FID_IID", *(f"{one}_{one}" for one in names)]) + "\n")
            for chrom, values in zip(chromosomes, predictions, strict=True):
                numbers = ["NA" if np.isnan(one) else f"{one:.9g}" for one in values[:, column]]
                file.write(" ".join([chrom, *numbers]) + "\n")
        lines.append(f"{feature} {path.name if gzipped else path}\n")
    (folder / "step1_pred.list").write_text("".join(lines))
    return folder / "step1_pred.list"


@pytest.mark.parametrize("gzipped", [False, True])
def test_predictions_are_joined_by_name(tmp_path, gzipped):
    rng = np.random.default_rng(1)
    values = rng.normal(size=(2, 6, 2))
    values[1, 2, 1] = np.nan
    names = ["a_1", "b", "c_c", "7", "8", "9"]
    path = write_loco(tmp_path / "loco", values, names, ["E1", "E2"], ("2", "23"), gzipped)
    found = read_offsets(path, "X", ["E2", "E1"], ["9", "a_1", "nobody", "c_c"])
    expected = values[1][[5, 0, 0, 2]][:, [1, 0]]
    expected[2] = np.nan
    np.testing.assert_allclose(found, expected, rtol=1e-8)


def test_regenie_step_1_file_layout(tmp_path):
    # the layout that REGENIE documents: FID_IID then samples, a row a chromosome
    (tmp_path / "fit_1.loco").write_text("FID_IID 1_11 2_22 3_33\n1 0.5 -0.25 0.125\n2 1 2 3\n")
    (tmp_path / "fit_pred.list").write_text("E1 fit_1.loco\n")
    np.testing.assert_array_equal(read_offsets(tmp_path / "fit_pred.list", 2, ["E1"], ["33", "11"])[:, 0], [3, 1])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda folder: (folder / "step1_pred.list").write_text("E1\n"),
            "line 1: 1 fields. Write a feature and the path",
        ),
        (lambda folder: (folder / "step1_1.loco").unlink(), "step1_1.loco does not exist"),
        (lambda folder: (folder / "step1_1.loco").write_text("1 2 3\n"), "not the header of a REGENIE .loco file"),
        (lambda folder: (folder / "step1_1.loco").write_text("FID_IID 1_1 2_2\n1 0.5\n"), "line 2: 1 predictions"),
        (lambda folder: (folder / "step1_1.loco").write_text("FID_IID 1_1\n2 0.5\n"), "no row for chromosome 1"),
        (lambda folder: (folder / "step1_1.loco").write_text("FID_IID 1_1\n1 zero\n"), "is not a number"),
        (lambda folder: (folder / "step1_1.loco").write_text("FID_IID A_A1\n1 0.5\n"), "none of the 3 tested samples"),
        (lambda folder: (folder / "step1_1.loco").write_text("FID_IID 1_1 1_1\n1 1 2\n"), "appear more than once"),
    ],
)
def test_broken_predictions(tmp_path, change, sentence):
    path = write_loco(tmp_path, np.zeros((2, 3, 1)), ["1", "2", "3"], ["E1"])
    change(tmp_path)
    with pytest.raises(UserError, match=sentence):
        read_offsets(path, 1, ["E1"], ["1", "2", "3"])


def test_a_feature_without_predictions(tmp_path):
    path = write_loco(tmp_path, np.zeros((2, 3, 1)), ["1", "2", "3"], ["E1"])
    with pytest.raises(UserError, match="1 of the 2 features, such as E2, have no prediction"):
        read_offsets(path, 1, ["E1", "E2"], ["1", "2", "3"])


def test_offsets_in_standard_deviations_of_the_residuals():
    rng = np.random.default_rng(2)
    covariates, values, offsets = rng.normal(size=(90, 3)), rng.normal(size=(90, 2)) * [1, 50], rng.normal(size=(90, 2))
    setup = design(covariates, list("abc"), values, ["u", "v"], offsets).joint
    x = np.column_stack([np.ones(90), covariates])
    left = values - x @ np.linalg.lstsq(x, values, rcond=None)[0]
    sd = np.sqrt((left**2).sum(0) / (90 - 4))
    rest = left - sd * (offsets - x @ np.linalg.lstsq(x, offsets, rcond=None)[0])
    np.testing.assert_allclose(setup.residuals * setup.scale, rest, atol=1e-9)
    np.testing.assert_allclose((setup.residuals**2).sum(0), 89)


def test_offsets_are_subtracted_from_the_features(tmp_path, caplog):
    dosages, covariates, values = arrays(71, samples=250, missing=0.03)
    offsets = np.random.default_rng(3).normal(size=(2, 250, 4)) * 0.5
    offsets[0, :7, 2] = np.nan
    names = [f"E{k}" for k in range(1, 5)]
    path = write_loco(tmp_path, offsets, iids(250), names)
    paths = write_study(tmp_path, dosages, covariates, values)
    with caplog.at_level(logging.INFO):
        write_gwas(
            paths["pattern"], 1, None, paths["phenotypes"], paths["covariates"], SETTINGS,
            tmp_path / "o.parquet", tmp_path / "s.parquet", offsets=path,
        )  # fmt: skip
    assert "7 of 250 tested samples have no offset for some feature" in caplog.text
    table = pd.read_parquet(tmp_path / "o.parquet")
    x = np.column_stack([np.ones(250), covariates])
    for k, name in enumerate(names):
        use = ~np.isnan(offsets[0, :, k])
        left = values[use, k] - x[use] @ np.linalg.lstsq(x[use], values[use, k], rcond=None)[0]
        rest = values[use, k] - np.sqrt((left**2).sum() / (use.sum() - 4)) * offsets[0, use, k]
        for row in (0, 5, 20):
            exact = least_squares(dosages[use, row], covariates[use], rest[:, None])
            assert abs(table[f"beta_{name}"][row] - exact["beta"][0]) <= 2e-5 * exact["se"][0]
            assert table[f"se_{name}"][row] == pytest.approx(exact["se"][0], rel=1e-5)
            assert table["n_E3" if k == 2 else "n"][row] == exact["n"]


def test_related_samples_are_calibrated_with_offsets(tmp_path):
    """Sibships with a heritable trait inflate a plain regression; leave-one-chromosome-out predictions take it away."""
    rng = np.random.default_rng(4)
    parents = [simulate(rng, 120, 1200) for _ in range(2)]
    family = np.repeat(np.arange(120), 5)
    dosages = child(rng, parents[0][family], parents[1][family])
    chrom = np.repeat([1, 2], 600)
    standard = (dosages - dosages.mean(0)) / np.maximum(dosages.std(0), 1e-9)
    value = standard @ rng.normal(size=1200) / np.sqrt(1200)
    shared = rng.normal(size=120)[family]  # what siblings share beside their genes
    trait = value / value.std() + 0.7 * shared + 0.5 * rng.normal(size=600)
    trait = (trait - trait.mean()) / trait.std()
    offsets = []
    for held in (1, 2):  # ridge regression on the other chromosome, its samples' own values left out by family
        other = standard[:, chrom != held]
        kernel = other @ other.T / other.shape[1]
        prediction = kernel @ np.linalg.solve(kernel + 0.3 * np.eye(600), trait)
        offsets.append(prediction[:, None])
    path = write_loco(tmp_path, np.array(offsets), iids(600), ["E1"])
    paths = write_study(tmp_path, dosages[:, chrom == 1], rng.normal(size=(600, 1)), trait[:, None])
    lambdas = {}
    for label, given in (("plain", None), ("offsets", path)):
        summary = tmp_path / f"{label}.summary.parquet"
        write_gwas(
            paths["pattern"], 1, None, paths["phenotypes"], paths["covariates"], SETTINGS,
            tmp_path / f"{label}.parquet", summary, offsets=given,
        )  # fmt: skip
        lambdas[label] = read_lambda([summary]).set_index("test")["lambda"]["E1"]
    assert lambdas["plain"] > 1.5
    assert lambdas["offsets"] - 1 < (lambdas["plain"] - 1) / 4
