"""The follow-up of lead variants against fits written out with statsmodels' formulas, and sums over samples."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import stats
from statsmodels.multivariate.manova import MANOVA

from contigwas.followup import COLUMNS, write_followup
from contigwas.gwas.gwas import write_gwas
from contigwas.loci import write_loci
from contigwas.runtime.atomic_files import write_tsv
from contigwas.tables.text import read_table
from tests.gwas_files import SETTINGS, arrays, write_study
from tests.plink_files import iids

LOCI = {"test": "manova", "p1": 0.2, "p2": 0.2, "r2": 0.5, "kb": 1, "feature_p": 0.5}
LOCI |= {"genes": None, "genes_build": None, "build": "GRCh37"}
MODEL = "~ c1 + c2 + c3 + g"
SAMPLES = 400


def study(folder, seed, missing=0.05, absent=0, predictions=None):
    """A GWAS of four features, its loci and their follow-up, with the data that statsmodels gets.

    The first feature misses `absent` samples; `predictions` (samples, 4) are REGENIE's, written as its files.
    """
    dosages, design, values = arrays(seed, samples=SAMPLES, missing=missing)
    values[:absent, 0] = np.nan
    paths = write_study(folder, dosages, design, values)
    tables = (paths["phenotypes"], paths["covariates"])
    gwas = {"1": folder / "chr1.parquet"}
    offsets = None if predictions is None else write_predictions(folder, predictions)
    output = (gwas["1"], folder / "summary.parquet")
    write_gwas(paths["pattern"], 1, None, *tables, SETTINGS, *output, offsets=offsets)
    write_tsv(pd.DataFrame({"iid": iids(SAMPLES), "gwas_included": 1}), folder / "cohort.tsv")
    write_loci(gwas, str(paths["pattern"]), folder / "cohort.tsv", LOCI, folder / "loci.tsv")
    settings = {"features": 20, "p1": 0.2, "missing": "exact", "build": "GRCh37"}
    write_followup(
        folder / "loci.tsv", gwas, str(paths["pattern"]), *tables, settings, folder / "followup.tsv", offsets
    )
    data = pd.DataFrame(np.hstack([design, values]), columns=["c1", "c2", "c3", "E1", "E2", "E3", "E4"])
    data["male"] = np.arange(SAMPLES) % 2 == 0
    calls = pd.DataFrame(np.where(dosages < 0, np.nan, dosages), columns=[f"rs1_{k}" for k in range(40)])
    return read_table(folder / "followup.tsv"), read_table(folder / "loci.tsv"), data, calls


def write_predictions(folder, predictions):
    """REGENIE's list and .loco files; the list."""
    lines = []
    for k in range(4):
        path = folder / f"fit_{k + 1}.loco"
        samples = " ".join(f"{iid}_{iid}" for iid in iids(SAMPLES))
        path.write_text(f"FID_IID {samples}\n1 " + " ".join(f"{one:.17g}" for one in predictions[:, k]) + "\n")
        lines.append(f"E{k + 1} {path}\n")
    (folder / "pred.list").write_text("".join(lines))
    return str(folder / "pred.list")


def expected(data, feature):
    """n, df, beta, se and t of every fit of one feature; `data` holds the variant as g."""
    known = data.dropna(subset=[feature, "g"])
    fits = {
        "ols": smf.ols(feature + MODEL, known).fit(),
        "hc3": smf.ols(feature + MODEL, known).fit(cov_type="HC3", use_t=True),
        "males": smf.ols(feature + MODEL, known[known["male"]]).fit(),
        "females": smf.ols(feature + MODEL, known[~known["male"]]).fit(),
    }
    numbers = {name: (fit.nobs, fit.df_resid, fit.params["g"], fit.bse["g"]) for name, fit in fits.items()}
    logs = {name: stats.t.logsf(abs(fit.tvalues["g"]), fit.df_resid) for name, fit in fits.items()}
    beta = numbers["males"][2] - numbers["females"][2]
    se = np.sqrt(numbers["males"][3] ** 2 + numbers["females"][3] ** 2)
    numbers["sex_difference"] = (known.shape[0], numbers["males"][1] + numbers["females"][1], beta, se)
    logs["sex_difference"] = stats.norm.logsf(abs(beta / se))
    return {name: (*numbers[name], -(logs[name] + np.log(2)) / np.log(10)) for name in numbers}


def wald(data):
    """F, its degrees of freedom of the robust test over the four features: a sum over samples of their influence."""
    known = data.dropna()
    x = np.column_stack([np.ones(len(known)), known[["c1", "c2", "c3", "g"]]])
    inverse = np.linalg.inv(x.T @ x)
    coefficients = inverse @ x.T @ known[["E1", "E2", "E3", "E4"]].to_numpy()
    beta, covariance = coefficients[-1], np.zeros((4, 4))
    for row, y in zip(x, known[["E1", "E2", "E3", "E4"]].to_numpy(), strict=True):
        influence = (inverse @ row)[-1] * (y - row @ coefficients) / (1 - row @ inverse @ row)
        covariance += np.outer(influence, influence)
    df = len(known) - 5
    return float(beta @ np.linalg.solve(covariance, beta)) * (df - 3) / (4 * df), 4, df - 3


@pytest.mark.parametrize(("missing", "absent"), [(0.0, 0), (0.05, 0), (0.05, 60)])
def test_every_fit(tmp_path, missing, absent):
    found, loci, data, calls = study(tmp_path, 31, missing, absent)
    assert found.columns.tolist() == COLUMNS
    assert len(loci) >= 3
    assert found["locus"].unique().tolist() == loci["locus"].tolist()
    for _, lead in loci.iterrows():
        here = found[found["locus"] == lead["locus"]]
        assert (here[["chrom", "lead_id", "effect_allele"]] == lead[["chrom", "lead_id", "effect_allele"]]).all(None)
        data["g"] = calls[lead["lead_id"]]
        names = [name for name in here["feature"].unique() if name]
        assert names == lead["features"].split(",")
        assert names[0] == lead["best_feature"]
        for name in names:
            rows = here[here["feature"] == name].set_index("fit")
            truth = expected(data, name)
            assert rows.index.tolist() == list(truth)
            for fit, numbers in truth.items():
                n, df, beta, se, log10p = numbers
                row = rows.loc[fit]
                assert (row["n"], row["df"]) == (n, df)
                assert abs(row["beta"] - beta) <= 1e-8 * se
                assert row["se"] == pytest.approx(se, rel=1e-8)
                assert row["log10p"] == pytest.approx(log10p, rel=3e-5, abs=1e-6)  # Hill's expansion
            assert abs(rows.loc["ols", "difference"]) < 1e-4
            assert rows["agrees"].fillna(-1).tolist() == [1, -1, -1, -1, -1]


def test_with_offsets(tmp_path):
    # What the rest of the genome predicts is taken out of the features, in SDs of their residuals.
    rng = np.random.default_rng(33)
    predictions = 0.4 * rng.normal(size=(SAMPLES, 4))
    predictions[:20, 1] = np.nan
    found, loci, data, calls = study(tmp_path, 33, 0.05, 0, predictions)
    raw = data.copy()
    for k in range(4):
        name, known = f"E{k + 1}", data.index[~np.isnan(predictions[:, k])]
        null = smf.ols(f"{name} ~ c1 + c2 + c3", data.loc[known]).fit()
        data[name] -= np.sqrt(null.ssr / null.df_resid) * predictions[:, k]
        raw.loc[data[name].isna(), name] = np.nan
    every = raw.dropna().copy()  # the test over all features has its samples, and their SDs
    for k in range(4):
        null = smf.ols(f"E{k + 1} ~ c1 + c2 + c3", every).fit()
        every[f"E{k + 1}"] -= np.sqrt(null.ssr / null.df_resid) * predictions[every.index, k]
    for _, lead in loci.iterrows():
        here = found[found["locus"] == lead["locus"]]
        data["g"] = raw["g"] = calls[lead["lead_id"]]
        for name in lead["features"].split(","):
            rows = here[here["feature"] == name].set_index("fit")
            truth = expected(data, name) | {"without_offsets": expected(raw, name)["ols"]}
            assert rows.index.tolist() == list(truth)
            for fit, (n, df, beta, se, _) in truth.items():
                assert (rows.loc[fit, "n"], rows.loc[fit, "df"]) == (n, df)
                assert abs(rows.loc[fit, "beta"] - beta) <= 1e-8 * se
                assert rows.loc[fit, "se"] == pytest.approx(se, rel=1e-8)
            assert rows.loc["ols", "agrees"] == 1
            apart = (truth["without_offsets"][2] - truth["ols"][2]) / truth["ols"][3]
            assert rows.loc["without_offsets", "difference"] == pytest.approx(apart, rel=1e-6)
            same = truth["without_offsets"][2] * truth["ols"][2] > 0 and abs(apart) <= 2
            assert rows.loc["without_offsets", "agrees"] == same
        every["g"] = calls.loc[every.index, lead["lead_id"]]
        joint = here.set_index("fit")["log10p"]
        assert joint["manova_hc3"] == pytest.approx(-stats.f.logsf(*wald(every)) / np.log(10), rel=1e-8)
        assert joint["manova"] == pytest.approx(lead["log10p"], rel=1e-5)


@pytest.mark.parametrize(("missing", "absent"), [(0.0, 0), (0.05, 60)])
def test_over_all_features(tmp_path, missing, absent):
    found, loci, data, calls = study(tmp_path, 32, missing, absent)
    for _, lead in loci.iterrows():
        rows = found[(found["locus"] == lead["locus"]) & (found["feature"] == "")].set_index("fit")
        data["g"] = calls[lead["lead_id"]]
        known = data.dropna()
        assert rows["n"].tolist() == [len(known)] * 2
        assert rows["df"].tolist() == [4, 4]
        test = MANOVA.from_formula("E1 + E2 + E3 + E4 " + MODEL, known).mv_test([("g", "g")])
        row = test.results["g"]["stat"].loc["Wilks' lambda"]
        log10p = -stats.f.logsf(float(row["F Value"]), row["Num DF"], row["Den DF"]) / np.log(10)
        assert rows.loc["manova", "log10p"] == pytest.approx(log10p, rel=1e-8)
        assert rows.loc["manova_hc3", "log10p"] == pytest.approx(-stats.f.logsf(*wald(data)) / np.log(10), rel=1e-8)
        assert rows.loc["manova", "log10p"] == pytest.approx(lead["log10p"], rel=1e-5)
