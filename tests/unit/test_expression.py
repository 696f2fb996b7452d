"""Gene expression: the log scale by a loop, the order of the genome, every kind of table, and what is refused."""

import json
import math

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from contigwas.config.models import read_schema
from contigwas.expression import order, scale, table, write_expression
from contigwas.pretrain.data import load_genetics
from contigwas.runtime.errors import UserError
from contigwas.tables.anndata_io import read_modality
from contigwas.tables.sample_features import SampleTable
from tests.modalities import write_cohort
from tests.plink_files import iids

NAMES = iids(8)
STRANGER = "9999999"
GENES = ["TP53", "MYC", "novel", "BRCA2", "XIST"]
PLACES = {"TP53": ("17", 7571720), "MYC": ("8", 128748315), "BRCA2": ("13", 32889617), "XIST": ("X", 73040486)}
LIST = "".join(f"chr{chrom}\t{start}\t{start + 1000}\t{name}\n" for name, (chrom, start) in PLACES.items())
PLAIN = {"scale": "tpm", "id": "IID", "drop": []}


@pytest.fixture
def study(tmp_path):
    """A cohort of eight, one excluded; counts of seven of them and a stranger, in another order."""
    rng = np.random.default_rng(1)
    counts = pd.DataFrame(rng.poisson(40, (8, 5)).astype(float), columns=GENES)
    counts.iloc[2, 1] = np.nan
    counts.iloc[3, 0] = 0
    counts.insert(0, "IID", [*NAMES[6::-1], STRANGER])
    (tmp_path / "genes.txt").write_text(LIST)
    return write_cohort(tmp_path, NAMES, NAMES[3:4]), counts, tmp_path


def save(counts: pd.DataFrame, path):
    """Write the table in the format that the name of `path` asks for."""
    if path.suffix == ".h5ad":
        values, names = counts.iloc[:, 1:].to_numpy(), pd.DataFrame(index=counts.columns[1:])
        kind = {"csr": sparse.csr_matrix, "csc": sparse.csc_matrix}.get(path.stem, np.asarray)
        ad.AnnData(kind(values), obs=pd.DataFrame(index=counts["IID"]), var=names).write_h5ad(path)
    elif path.suffix == ".parquet":
        counts.to_parquet(path)
    else:
        comma = ".csv" in path.suffixes
        counts.assign(FID=1).to_csv(path, sep="," if comma else "\t", index=False, na_rep="" if comma else "NA")
    return path


def written(cohort, path, genes=None, **settings):
    output = path.with_name("expression.out.h5ad")
    write_expression(path, genes, cohort, PLAIN | settings, output)
    return read_modality(output)


def by_loop(counts: pd.DataFrame, kind: str) -> dict[tuple[str, str], float]:
    """The log scale of every value, sample by sample and gene by gene."""
    found = {}
    for _, row in counts.iterrows():
        library = sum(row[gene] for gene in GENES if not math.isnan(row[gene]))
        for gene in GENES:
            value = row[gene] * 1e6 / library if kind == "counts" else row[gene]
            found[row["IID"], gene] = value if kind == "log" else math.log(1 + value)
    return found


@pytest.mark.parametrize("kind", ["tpm", "counts", "log"])
def test_the_log_scale_is_that_of_a_loop(study, kind, monkeypatch):
    """In blocks of two samples too."""
    cohort, counts, folder = study
    monkeypatch.setattr("contigwas.tables.sample_features.VALUES", 10)
    monkeypatch.setattr(scale, "VALUES", 10)
    data = written(cohort, save(counts, folder / "x.tsv"), scale=kind)
    assert data.X.dtype == np.float32
    assert data.obs_names.tolist() == [one for one in NAMES[6::-1] if one != NAMES[3]]
    assert data.var_names.tolist() == GENES, "the table's order"
    known = by_loop(counts, kind)
    for row, iid in enumerate(data.obs_names):
        for column, gene in enumerate(GENES):
            np.testing.assert_allclose(data.X[row, column], known[iid, gene], rtol=1e-6)
    assert np.isnan(data.X).sum() == 1
    assert data.var["missing"].tolist() == [0, 1, 0, 0, 0]
    assert data.var["start"].isna().all() and (data.var["chrom"] == "").all()
    reported = json.loads(data.uns["provenance"])
    assert (reported["scale"], reported["samples_in_file"], reported["n_samples"], reported["features"]) == (
        kind,
        8,
        6,
        5,
    )


@pytest.mark.parametrize("name", ["x.tsv", "x.csv", "x.csv.gz", "x.parquet", "x.h5ad", "csr.h5ad", "csc.h5ad"])
@pytest.mark.parametrize("values", [2**24, 10])
def test_kinds_of_files(study, name, values, monkeypatch, caplog):
    cohort, counts, folder = study
    caplog.set_level("INFO")
    monkeypatch.setattr("contigwas.tables.sample_features.VALUES", values)
    data = written(cohort, save(counts, folder / name), folder / "genes.txt", scale="counts")
    known = by_loop(counts, "counts")
    wanted = ["MYC", "BRCA2", "TP53", "XIST", "novel"]
    assert data.var_names.tolist() == wanted, "8, 13, 17, X, then what has no place"
    np.testing.assert_allclose(data.X, [[known[iid, gene] for gene in wanted] for iid in data.obs_names], rtol=1e-6)
    assert data.var["chrom"].tolist() == ["8", "13", "17", "X", ""]
    assert data.var["start"].tolist()[:4] == [PLACES[one][1] for one in wanted[:4]]
    assert "8 samples, 6 of them in the cohort of 7; 5 genes" in caplog.text
    assert "4 of 5 genes are in" in caplog.text and "the other 1 follow them" in caplog.text
    assert "1 values of 1 genes are missing" in caplog.text
    assert not any(one in caplog.text for one in [*NAMES, STRANGER])


GTF = """1\tx\tgene\t500\t900\t.\t+\t.\tgene_id "ENSG00000000001.5"; gene_name "A";
1\tx\tgene\t100\t200\t.\t+\t.\tgene_id "ENSG00000000002.1"; gene_name "B";
2\tx\tgene\t100\t200\t.\t+\t.\tgene_id "ENSG00000000003.2"; gene_name "C";
Y\tx\tgene\t10\t20\t.\t+\t.\tgene_id "ENSG00000000004.2_PAR_Y"; gene_name "D";
X\tx\tgene\t10\t20\t.\t+\t.\tgene_id "ENSG00000000004.2"; gene_name "D";
scaffold7\tx\tgene\t1\t20\t.\t+\t.\tgene_id "ENSG00000000005.2";
"""


def test_genes_are_found_by_name_identifier_and_without_version(tmp_path):
    (tmp_path / "genes.gtf").write_text(GTF)
    names = ["ENSG00000000003.9", "ENSG00000000005", "D", "none.1", "B", "ENSG00000000001.5", "ENSG00000000002"]
    found = order.positions(names, tmp_path / "genes.gtf")
    assert found["chrom"].tolist() == ["2", "SCAFFOLD7", "X", "", "1", "1", "1"]
    assert found["start"].fillna(-1).tolist() == [100, 1, 10, -1, 100, 500, 100]
    along = [names[one] for one in order.genomic(found["chrom"], found["start"])]
    assert along == ["B", "ENSG00000000002", "ENSG00000000001.5", "ENSG00000000003.9", "D", "ENSG00000000005", "none.1"]


def test_samples_without_measurements_are_left_out_and_counted(study, caplog):
    cohort, counts, folder = study
    counts.loc[0, GENES] = 0
    counts.loc[1, GENES] = np.nan
    counts.loc[4, GENES] = [0, np.nan, 0, 0, 0]
    path = save(counts, folder / "x.tsv")
    data = written(cohort, path, scale="counts")
    assert data.obs_names.tolist() == [counts["IID"][row] for row in (2, 5, 6)]
    assert "1 samples without a value and 2 with only zeros are left out" in caplog.text
    reported = json.loads(data.uns["provenance"])
    assert (reported["samples_without_value"], reported["samples_with_zeros_alone"], reported["n_samples"]) == (1, 2, 3)
    assert len(written(cohort, path, scale="log")) == 5, "a logarithm of zero is a value"


def test_id_and_drop_columns(study):
    cohort, counts, folder = study
    other = counts.rename(columns={"IID": "Barcode"}).assign(subtype="LumA", batch=1)
    data = written(cohort, save_plain(other, folder / "x.csv"), id="barcode", drop=["subtype", "batch"])
    assert data.var_names.tolist() == GENES and data.n_obs == 6
    samples = pd.DataFrame({"patient": pd.Categorical(counts["IID"])}, index=[f"cell{one}" for one in range(8)])
    ad.AnnData(counts[GENES].to_numpy(), obs=samples, var=pd.DataFrame(index=GENES)).write_h5ad(folder / "x.h5ad")
    same = written(cohort, folder / "x.h5ad", id="patient", drop=["novel"])
    assert same.obs_names.tolist() == data.obs_names.tolist()
    np.testing.assert_array_equal(same.X, data[:, same.var_names].X)
    assert same.var_names.tolist() == [one for one in GENES if one != "novel"]


def save_plain(counts, path):
    counts.to_csv(path, index=False, sep="," if path.suffix == ".csv" else "\t", na_rep="NA")
    return path


def negative(counts):
    counts.iloc[0, 1], counts.iloc[1, 2] = -1, -3


def fractions(counts):
    counts.iloc[:3, 4] += 0.5


def large(counts):
    counts.iloc[:2, 3] = 51


def infinite(counts):
    counts.iloc[0, 3] = -np.inf


def nothing(counts):
    counts[GENES] = np.nan


def zeros(counts):
    counts[GENES] = 0.0


def twice(counts):
    counts.loc[1, "IID"] = counts.loc[0, "IID"]


def strangers(counts):
    counts["IID"] = [f"X{number}" for number in range(8)]


@pytest.mark.filterwarnings("ignore:Observation names are not unique")
@pytest.mark.parametrize("name", ["x.tsv", "x.csv", "x.parquet", "x.h5ad"])
@pytest.mark.parametrize(
    ("spoil", "kind", "reported"),
    [
        (negative, "counts", r"2 of 29 values are negative, but counts are not. Correct them, or"),
        (negative, "tpm", r"2 of 29 values are negative, but TPM are not. .*expression.scale: log if"),
        (fractions, "counts", r"3 of 29 values are not integers, but counts are. Round"),
        (large, "log", r"2 of 29 values are above 50, .*look like TPM or counts: correct expression.scale"),
        (infinite, "log", r"1 values are infinite. Write NA"),
        (nothing, "tpm", r"every value is missing"),
        (zeros, "counts", r"all values of the 6 samples of the cohort are zero or missing"),
        (twice, "tpm", r"1 individual IDs appear more than once .of the shape 7 digits"),
        (
            strangers,
            "tpm",
            r"no sample is in both the cohort .* and expression.table .*8 samples, IDs of X and 1 digit",
        ),
    ],
)
def test_refusals(study, spoil, kind, reported, name):
    cohort, counts, folder = study
    counts[GENES] = np.minimum(counts[GENES], 49)
    spoil(counts)
    with pytest.raises(UserError, match=reported) as refused:
        written(cohort, save(counts, folder / name), scale=kind)
    assert not any(one in str(refused.value) for one in [*NAMES, STRANGER])
    assert not (folder / "expression.out.h5ad").exists()


@pytest.mark.parametrize("name", ["x.tsv", "x.csv", "x.parquet"])
def test_text_among_genes(study, name):
    cohort, counts, folder = study
    counts["MYC"] = ["high", *counts["MYC"].astype(str)[1:]]
    with pytest.raises(UserError, match=r"1 columns hold text .the first is MYC"):
        written(cohort, save(counts, folder / name))


@pytest.mark.filterwarnings("ignore:Variable names are not unique")
@pytest.mark.parametrize("name", ["x.tsv", "x.csv", "x.h5ad"])
def test_duplicate_gene(study, name):
    cohort, counts, folder = study
    counts.columns = ["IID", "TP53", "MYC", "TP53", "MYC", "XIST"]
    path = save(counts, folder / name)
    with pytest.raises(UserError, match=r"2 genes are duplicated .first TP53.. Rename or drop them"):
        written(cohort, path)


@pytest.mark.parametrize("name", ["x.tsv", "x.csv", "x.parquet", "x.h5ad"])
@pytest.mark.parametrize("first", ["gene", "IID"])
def test_transposed_table(study, name, first):
    cohort, counts, folder = study
    turned = counts.set_index("IID").T.reset_index(names="IID" if name == "x.h5ad" else first)
    with pytest.raises(UserError, match=r"looks transposed: 6 of its columns are IIDs of the cohort, but no row is"):
        written(cohort, save(turned, folder / name))


def test_transposed_table_with_duplicates_discloses_no_ids(study):
    cohort, counts, folder = study
    turned = counts.set_index("IID").T.reset_index(names="gene")
    turned = pd.concat([turned, turned.iloc[:, 1:3]], axis=1).assign(**{NAMES[0]: "text"})
    with pytest.raises(UserError, match="looks transposed") as refused:
        written(cohort, save(turned, folder / "x.tsv"), id="gene")
    assert not any(one in str(refused.value) for one in [*NAMES, STRANGER])


@pytest.mark.parametrize(("name", "blank"), [("x.tsv", "\t" * 6), ("x.tsv", "\t"), ("x.csv", "," * 6), ("x.csv", " ,")])
def test_values_stay_with_their_samples_below_a_blank_line(study, name, blank):
    cohort, counts, folder = study
    expected = written(cohort, save(counts, folder / name))
    lines = (folder / name).read_text().splitlines()
    (folder / name).write_text("\n".join([*lines[:3], blank, *lines[3:], blank]) + "\n")
    found = written(cohort, folder / name)
    assert found.obs_names.tolist() == expected.obs_names.tolist()
    np.testing.assert_array_equal(found.X, expected.X)


@pytest.mark.parametrize("lost", [0, 6, 7])
def test_samples_and_values_of_different_rows_are_refused(study, monkeypatch, lost):
    """Whichever row it is that only one of the two readers gives: also the stranger's, which is the last."""
    _, counts, folder = study
    opened = table.open_expression(save(counts, folder / "x.tsv"), PLAIN)
    blocks = SampleTable.blocks

    def without(self, rows=None):
        for samples, values in blocks(self, rows):
            yield np.delete(samples, lost), np.delete(values, lost, axis=0)

    monkeypatch.setattr(SampleTable, "blocks", without)
    with pytest.raises(UserError, match=r"8 IIDs, but 7 rows of values") as refused:
        opened.read(pd.Index(NAMES), "the cohort")
    assert not any(one in str(refused.value) for one in [*NAMES, STRANGER])


@pytest.mark.parametrize(
    ("lines", "reported"),
    [
        (["IID\tA"], "x.tsv .expression.table.: the table has no samples"),
        (["IID\tA\tB", f"{NAMES[0]}\t2"], "line 2 has fewer columns than the header"),
        (["IID\tA\tB", f"{NAMES[0]}\t2\t3", "", "2\t2\t3\t4"], "line 4 has more columns than the header"),
        (["IID\tA\tB", f"{NAMES[0]}\t2\t3", "2\t2\tx"], "the first is B, line 3"),
        (["sample\tA\tB", "1\t2\t3"], "no column IID; the header has sample, A, B. Name the column of IIDs in"),
        (["IID\tsubtype", "1\tLumA"], "x.tsv: no gene besides IID"),
    ],
)
def test_invalid_tables(study, lines, reported):
    cohort, _, folder = study
    (folder / "x.tsv").write_text("\n".join(lines) + "\n")
    with pytest.raises(UserError, match=reported):
        written(cohort, folder / "x.tsv", drop=["subtype"] if "subtype" in lines[0] else [])


def test_other_refusals(study):
    cohort, counts, folder = study
    path = save(counts, folder / "x.tsv")
    with pytest.raises(UserError, match=r"no column subtype, which expression.drop names"):
        written(cohort, path, drop=["subtype"])
    (folder / "others.txt").write_text("1 5 9 ABC\n")
    with pytest.raises(UserError, match=r"others.txt .expression.genes.: none of the 5 genes of expression.table"):
        written(cohort, path, folder / "others.txt")
    with pytest.raises(UserError, match=r"none.txt does not exist: correct expression.genes in the config"):
        written(cohort, path, folder / "none.txt")
    with pytest.raises(UserError, match=r"none.tsv does not exist: correct expression.table in the config"):
        written(cohort, folder / "none.tsv")
    for name in ("x.parquet", "x.h5ad"):
        (folder / name).write_text("neither\n")
        with pytest.raises(UserError, match=rf"{name} is not (a Parquet|an AnnData .h5ad) file"):
            written(cohort, folder / name)
    save(counts, folder / "x.h5ad")
    with pytest.raises(UserError, match=r"no column barcode in obs. Name the column of IIDs in expression.id"):
        written(cohort, folder / "x.h5ad", id="barcode")


@pytest.mark.parametrize(
    ("factor", "reported"),
    [
        (1e6, "the values of 6 of 6 samples sum to more than 1.1 million, but TPM sum to one million"),
        (0.1, "no value is above 25. If they are logarithms, set expression.scale: log"),
        (100, ""),
    ],
)
def test_tpm_warnings(study, factor, reported, caplog):
    cohort, counts, folder = study
    counts[GENES] *= factor
    written(cohort, save(counts, folder / "x.tsv"))
    assert reported in caplog.text
    assert bool(caplog.text) == bool(reported)


def test_training_reads_it(study):
    cohort, counts, folder = study
    written(cohort, save(counts, folder / "x.tsv"))
    genetics = load_genetics(folder / "expression.out.h5ad", pd.Index(NAMES))
    assert genetics.present.tolist() == [number not in (3, 7) for number in range(8)]
    assert genetics.features == GENES


def test_memory_is_limited_to_samples_in_table_and_cohort(study, monkeypatch):
    """A cohort of 500,000 with a table of a thousand must not ask for room for all of them."""
    cohort, counts, folder = study
    sizes = []
    read = SampleTable.read

    def measured(self, wanted, name):
        samples, values, listed = read(self, wanted, name)
        sizes.append((len(wanted), values.shape, values.base is None, listed))
        return samples, values, listed

    monkeypatch.setattr(SampleTable, "read", measured)
    written(cohort, save(counts, folder / "x.tsv"))
    assert sizes == [(7, (6, 5), True, 8)]


def test_real_tumours(shared_data, tmp_path):
    """TCGA: `sample` and `subtype` and 200 genes, logarithms; nothing but the order of the columns changes."""
    path = shared_data / "expression" / "tcga_brca_mrna_train.csv"
    known = pd.read_csv(path, index_col="sample")
    cohort = write_cohort(tmp_path, known.index[:140])
    settings = {"scale": "log", "id": "sample", "drop": ["subtype"]}
    with pytest.raises(UserError, match="no column IID; the header has sample, subtype"):
        write_expression(path, None, cohort, PLAIN, tmp_path / "x.h5ad")
    with pytest.raises(UserError, match="1 columns hold text .the first is subtype, line 2.*expression.drop"):
        write_expression(path, None, cohort, settings | {"drop": []}, tmp_path / "x.h5ad")
    with pytest.raises(UserError, match="28000 of 28000 values are not integers"):
        write_expression(path, None, cohort, settings | {"scale": "counts"}, tmp_path / "x.h5ad")
    genes = shared_data / "genes" / "glist-hg19.txt"
    write_expression(path, genes, cohort, settings, tmp_path / "x.h5ad")
    data = read_modality(tmp_path / "x.h5ad")
    assert data.shape == (140, 200)
    np.testing.assert_array_equal(data.X, known.loc[data.obs_names, data.var_names].to_numpy(np.float32))
    listed = pd.read_csv(genes, sep=r"\s+", names=["chrom", "start", "end", "name"], dtype={"chrom": str})
    placed = data.var[data.var["chrom"] != ""]
    assert len(placed) == known.columns.isin(listed["name"]).sum() == 192
    ranks = [int(one) if one.isdigit() else 23 for one in placed["chrom"]]
    assert sorted(zip(ranks, placed["start"], strict=True)) == list(zip(ranks, placed["start"], strict=True))
    assert data.var_names[192:].tolist() == [one for one in known.columns[1:] if one not in set(listed["name"])]


def test_the_settings_of_the_schema_are_those_that_are_read():
    schema = read_schema()["properties"]["expression"]
    assert {*schema["properties"]} == {*PLAIN, "table", "genes"}
    assert {*schema["properties"]["scale"]["enum"]} == {*scale.SCALES}
    assert schema["properties"]["id"]["default"] == PLAIN["id"]
    assert table.KEY == "expression.table"
