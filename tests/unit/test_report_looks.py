"""The report's table of sensitivity analyses of lead variants: one row a locus, one column a fit."""

import numpy as np
import pandas as pd

from contigwas.followup import COLUMNS
from contigwas.report.page import second_looks, table
from contigwas.runtime.atomic_files import write_tsv


def test_one_row_a_locus(tmp_path):
    rows = [
        (1, "rs1", "E2", "ols", 9.0),
        (1, "rs1", "E2", "hc3", 8.5),
        (1, "rs1", "E7", "ols", 8.0),
        (1, "rs1", "", "manova", 12.0),
        (1, "rs1", "", "manova_hc3", 2.0),
        (2, "rs1", "", "manova", 10.0),
        (2, "rs1", "", "manova_hc3", np.nan),
    ]
    known = pd.DataFrame(rows, columns=["locus", "lead_id", "feature", "fit", "log10p"])
    write_tsv(known.reindex(columns=COLUMNS), tmp_path / "followup.tsv")
    looks = second_looks(tmp_path / "followup.tsv")
    assert looks.columns.tolist() == ["locus", "lead_id", "feature", "ols", "hc3", "manova", "manova_hc3"]
    assert looks.fillna(-1).values.tolist() == [[1, "rs1", "E2", 9, 8.5, 12, 2], [2, "rs1", "", -1, -1, 10, -1]]
    assert "<td>8.5</td>" in table(looks)


def test_features_whose_names_are_numbers(tmp_path):
    rows = [(1, "rs1", "30130", "ols", 9.0), (1, "rs1", "", "manova", 12.0), (2, "rs2", "7", "ols", 5.0)]
    known = pd.DataFrame(rows, columns=["locus", "lead_id", "feature", "fit", "log10p"])
    write_tsv(known.reindex(columns=COLUMNS), tmp_path / "followup.tsv")
    looks = second_looks(tmp_path / "followup.tsv")
    assert looks["feature"].tolist() == ["30130", "7"] and looks["ols"].tolist() == [9.0, 5.0]


def test_no_locus(tmp_path):
    write_tsv(pd.DataFrame(columns=COLUMNS), tmp_path / "followup.tsv")
    assert second_looks(tmp_path / "followup.tsv").empty
