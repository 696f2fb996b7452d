"""A frozen model in a second cohort: the discovery's values, manual calculations, and the replication of loci."""

import json
from types import SimpleNamespace

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from pretraining import RECIPE, write_study
from test_align import FEATURES, write_folds

from contigwas.align import align, read_alignment, write_alignment
from contigwas.apply.average import average
from contigwas.apply.embed_fold import embed_fold
from contigwas.apply.replicate import COLUMNS, write_replication
from contigwas.config.input_files import check_files
from contigwas.config.settings import networks, replicated
from contigwas.embed import embed
from contigwas.phenotypes import write_phenotypes
from contigwas.phenotypes.pca import fit, read_pca, write_pca
from contigwas.pretrain.train import train
from contigwas.runtime.atomic_files import write_tsv
from contigwas.runtime.errors import UserError
from contigwas.tables.text import read_table

EMBED = {"eyes": "mean", "checkpoint": "last", "augment": 0, "layer": "trunk", "math_threads": 1}
RAW = {"transform": "none", "covariates": [], "components": 3}


def discover(folder, folds, **changed):
    """A finished discovery in `folder`: checkpoints, embeddings, alignment, components and phenotypes."""
    files = write_study(folder, **changed)
    for fold in range(folds):
        place = folder / f"fold{fold}"
        outputs = {"output_checkpoint": place / "model.ckpt", "output_history": place / "history.csv"}
        train(**files, settings=RECIPE | {"epochs": 1, "folds": folds, "batch": 16}, fold=fold, **outputs)
        images = files["images_npy"], files["images_table"]
        embed(place / "model.ckpt", *images, files["cohort"], EMBED, place / "embeddings.h5ad")
    embeddings = [folder / f"fold{fold}" / "embeddings.h5ad" for fold in range(folds)]
    outputs = folder / "embeddings.h5ad", folder / "alignment.json", True, folder / "alignment.npz"
    align(embeddings, *outputs)
    outputs = [folder / name for name in ("phenotypes.parquet", "covariates.parquet", "pca.h5ad")]
    files["pcs"] = None
    write_phenotypes(outputs[0].with_name("embeddings.h5ad"), embeddings[0], files["cohort"], None, None, RAW, *outputs)
    return SimpleNamespace(folder=folder, files=files, folds=folds)


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    return discover(tmp_path_factory.mktemp("single"), 1)


@pytest.fixture(scope="module")
def crossed(tmp_path_factory):
    return discover(tmp_path_factory.mktemp("crossed"), 3, samples=400)  # more than features, in every pair of folds


def second(discovery, folder, cohort, **settings):
    """Embed the samples of `cohort` (a table) with the frozen model: the averaged features, and the phenotypes."""
    write_tsv(cohort, folder / "cohort.tsv")
    images = discovery.files["images_npy"], settings.pop("images_table", discovery.files["images_table"])
    frozen = discovery.folder / "alignment.npz", discovery.folder / "pca.h5ad"
    embeddings = []
    for fold in range(discovery.folds):
        embeddings.append(folder / f"fold{fold}.h5ad")
        checkpoint = discovery.folder / f"fold{fold}" / "model.ckpt"
        embed_fold(checkpoint, *frozen, *images, folder / "cohort.tsv", EMBED | settings, embeddings[-1])
    average(embeddings, frozen[0], folder / "embeddings.h5ad", folder / "alignment.json")
    outputs = [folder / name for name in ("phenotypes.parquet", "covariates.parquet", "pca.h5ad")]
    everything = [
        folder / "embeddings.h5ad",
        None,
        folder / "cohort.tsv",
        None,
        None,
        RAW | {"components": 1},
        *outputs,
    ]
    write_phenotypes(*everything, frozen=frozen[1])
    return ad.read_h5ad(folder / "embeddings.h5ad"), pd.read_parquet(outputs[0]).set_index("iid")


def samples_of(discovery):
    return pd.read_csv(discovery.files["cohort"], sep="\t", dtype=str, keep_default_na=False)


def test_samples_held_out_from_one_network_have_their_phenotypes_of_the_discovery(single, tmp_path):
    """The oracle is the discovery itself: the same images through another way give the same numbers."""
    before = pd.read_parquet(single.folder / "phenotypes.parquet").set_index("iid")
    cohort = samples_of(single)
    cohort = cohort[cohort["iid"].isin(before.index)].iloc[::-1]
    data, after = second(single, tmp_path, cohort)
    assert len(after) == len(before) > 8
    assert after.columns.tolist() == before.columns.tolist() == ["E1", "E2", "E3"]
    np.testing.assert_allclose(after.loc[before.index], before, rtol=1e-4, atol=1e-4)
    assert (data.obs["role"] == "heldout").all()
    frozen, own = (read_pca(folder / "pca.h5ad") for folder in (single.folder, tmp_path))
    np.testing.assert_array_equal(frozen[0].loadings, own[0].loadings)
    np.testing.assert_array_equal(frozen[3], own[3])


def test_samples_of_the_training_are_counted_and_not_tested(single, tmp_path, caplog):
    cohort = samples_of(single)
    data, phenotypes = second(single, tmp_path, cohort)
    roles = ad.read_h5ad(single.folder / "fold0" / "embeddings.h5ad").obs["role"]
    seen = roles.index[roles.isin(["train", "validation"])]
    assert set(data.obs_names[~data.obs["gwas_eligible"]]) == set(seen)
    assert not set(phenotypes.index) & set(seen)
    assert f"{len(seen)} of {len(roles)} samples have the IID of a training or validation sample" in caplog.text
    assert not any(iid in caplog.text for iid in cohort["iid"])
    assert json.loads((tmp_path / "alignment.json").read_text())["in_training"] == len(seen)
    with pytest.raises(UserError, match=rf"all {len(seen)} samples have the IIDs of training or validation samples"):
        second(single, tmp_path, cohort[cohort["iid"].isin(seen)])


def test_three_networks_agree_with_the_discovery_on_strangers(crossed, tmp_path):
    """The same images with other IIDs: all are new, and close to the features of the network that held them out."""
    cohort = samples_of(crossed)
    table = pd.read_parquet(crossed.files["images_table"])
    for one in (cohort, table):
        one["iid"] = "9" + one["iid"]
    table.to_parquet(tmp_path / "images.parquet")
    data, phenotypes = second(crossed, tmp_path, cohort, images_table=tmp_path / "images.parquet")
    assert data.obs["gwas_eligible"].all() and (data.obs["role"] == "new").all() and (data.obs["fold"] == 0).all()
    before = pd.read_parquet(crossed.folder / "phenotypes.parquet").set_index("iid")
    assert np.corrcoef(phenotypes.loc["9" + before.index, "E1"], before["E1"])[0, 1] > 0.95
    assert "fold1" not in pd.read_parquet(tmp_path / "covariates.parquet")


def test_the_alignment_gives_every_fold_its_aligned_features(tmp_path):
    paths, held, _ = write_folds(tmp_path, noise=0.3)
    align(paths, tmp_path / "a.h5ad", tmp_path / "a.json", True, tmp_path / "a.npz")
    fitted, aligned = read_alignment(tmp_path / "a.npz"), ad.read_h5ad(tmp_path / "a.h5ad")
    np.testing.assert_array_equal(fitted.rotation[0], np.eye(FEATURES))
    for fold, path in enumerate(paths):
        own = aligned.obs_names[held == fold]
        np.testing.assert_allclose(fitted(ad.read_h5ad(path)[own].X, fold), aligned[own].X, atol=1e-5)


def test_the_average_agrees_with_the_aligned_features_of_the_discovery(tmp_path):
    """Three networks have the same features in different rotations: without the rotations they would not agree."""
    paths, *_ = write_folds(tmp_path, noise=0.3)
    align(paths, tmp_path / "a.h5ad", tmp_path / "a.json", True, tmp_path / "a.npz")
    aligned, fitted = ad.read_h5ad(tmp_path / "a.h5ad"), read_alignment(tmp_path / "a.npz")
    strangers = []
    for fold, path in enumerate(paths):
        data = ad.read_h5ad(path)[aligned.obs_names].copy()
        data.obs["role"] = "new"
        strangers.append(tmp_path / f"new{fold}.h5ad")
        data.write_h5ad(strangers[-1])

    def agreement(alignment):
        average(strangers, alignment, tmp_path / "out.h5ad", tmp_path / "out.json")
        return np.corrcoef(ad.read_h5ad(tmp_path / "out.h5ad").X.ravel(), aligned.X.ravel())[0, 1]

    still = [np.eye(FEATURES)] * 3
    write_alignment(fitted.features, fitted.mean, fitted.sd, still, fitted.embed, tmp_path / "still.npz")
    assert agreement(tmp_path / "a.npz") > 0.95 > 0.8 > agreement(tmp_path / "still.npz")
    report = json.loads((tmp_path / "out.json").read_text())
    assert [one["fold"] for one in report["folds"]] == [0, 1, 2] and report["tested"] == aligned.n_obs


def write_networks(folder, rng, samples=7, features=4, fold_samples=2):
    """Embeddings of a cohort by two networks, an alignment and components, all of random numbers."""
    names = [f"F{number + 1}" for number in range(features)]
    mean, sd = rng.normal(size=(2, features)), rng.uniform(1, 2, (2, features))
    turn = np.linalg.qr(rng.normal(size=(features, features)))[0]
    write_alignment(names, mean, sd, [np.eye(features), turn], {"layer": "trunk"}, folder / "alignment.npz")
    components = fit(rng.normal(size=(30, features)), 2)
    write_pca(components, pd.Index(names), mean[0], sd[0], folder / "pca.h5ad")
    values = rng.normal(size=(2, samples, features)).astype(np.float32)
    iids = [f"10000{number:02d}" for number in range(samples)]
    paths = []
    for fold in range(2):
        role = ["train" if number == fold else "heldout" if number == 2 else "new" for number in range(samples)]
        obs = pd.DataFrame({"role": role, "n_images": 1}, index=iids)
        paths.append(folder / f"fold{fold}.h5ad")
        ad.AnnData(values[fold], obs=obs, var=pd.DataFrame(index=names)).write_h5ad(paths[-1])
    return paths, values, mean, sd, turn, components, iids


def test_standardise_rotate_average_and_components_by_hand(tmp_path):
    paths, values, mean, sd, turn, components, iids = write_networks(tmp_path, np.random.default_rng(4))
    average(paths, tmp_path / "alignment.npz", tmp_path / "embeddings.h5ad", tmp_path / "alignment.json")
    data = ad.read_h5ad(tmp_path / "embeddings.h5ad")
    expected = np.zeros((7, 4))
    for sample in range(7):
        for feature in range(4):
            one = (values[0, sample, feature] - mean[0, feature]) / sd[0, feature]
            two = sum(
                (values[1, sample, inner] - mean[1, inner]) / sd[1, inner] * turn[inner, feature] for inner in range(4)
            )
            expected[sample, feature] = (one + two) / 2
    np.testing.assert_allclose(data.X, expected, atol=1e-6)
    assert data.obs["gwas_eligible"].tolist() == [False, False, True, True, True, True, True]
    assert data.obs["role"].tolist() == ["train", "train", "heldout", "new", "new", "new", "new"]
    cohort = pd.DataFrame({"fid": iids, "iid": iids, "sex": 1, "family": iids, "fold": 0, "gwas_included": 1})
    write_tsv(cohort.assign(exclusion="", gwas_exclusion=""), tmp_path / "cohort.tsv")
    outputs = [tmp_path / name for name in ("phenotypes.parquet", "covariates.parquet", "own.h5ad")]
    files = tmp_path / "embeddings.h5ad", None, tmp_path / "cohort.tsv", None, None
    write_phenotypes(*files, RAW | {"components": 0}, *outputs, frozen=tmp_path / "pca.h5ad")
    scores = [[(row - components.mean) @ loading for loading in components.loadings] for row in expected[2:]]
    np.testing.assert_allclose(pd.read_parquet(outputs[0])[["E1", "E2"]], scores, atol=1e-5)


def test_files_that_do_not_belong_together(tmp_path):
    paths, *_ = write_networks(tmp_path, np.random.default_rng(5))
    outputs = tmp_path / "out.h5ad", tmp_path / "out.json"
    with pytest.raises(UserError, match="holds 2 networks, but 1 have embedded the cohort"):
        average(paths[:1], tmp_path / "alignment.npz", *outputs)
    fewer = ad.read_h5ad(paths[1])
    fewer[:5].write_h5ad(tmp_path / "fewer.h5ad")
    with pytest.raises(UserError, match="hold different samples"):
        average([paths[0], tmp_path / "fewer.h5ad"], tmp_path / "alignment.npz", *outputs)
    fewer[:, :3].write_h5ad(tmp_path / "narrow.h5ad")
    with pytest.raises(UserError, match="has 3 features, but .* has 4"):
        average([paths[0], tmp_path / "narrow.h5ad"], tmp_path / "alignment.npz", *outputs)
    for content in (b"", b"no archive", b"PK\x03\x04 cut short"):
        (tmp_path / "odd.npz").write_bytes(content)
        with pytest.raises(UserError, match=r"odd\.npz is not an alignment"):
            average(paths, tmp_path / "odd.npz", *outputs)
    assert not outputs[0].exists()


def test_a_model_that_cannot_be_applied_is_refused_before_the_work(single, tmp_path):
    files = single.files
    checkpoint, alignment = single.folder / "fold0" / "model.ckpt", single.folder / "alignment.npz"

    def refused(sentence, pca=single.folder / "pca.h5ad", checkpoint=checkpoint, **settings):
        images = files["images_npy"], files["images_table"], files["cohort"]
        with pytest.raises(UserError, match=sentence) as error:
            embed_fold(checkpoint, alignment, pca, *images, EMBED | settings, tmp_path / "out.h5ad")
        assert "\n" not in str(error.value)
        assert not (tmp_path / "out.h5ad").exists()

    _, names, mean, sd = read_pca(single.folder / "pca.h5ad")
    write_pca(None, names, mean, sd, tmp_path / "raw.h5ad")
    refused(r"no components, because the phenotypes of this model are raw features", tmp_path / "raw.h5ad")
    write_pca(read_pca(single.folder / "pca.h5ad")[0], names, mean + 1, sd, tmp_path / "other.h5ad")
    refused("are not of the same model", tmp_path / "other.h5ad")
    refused(r"embed has layer: pgs, but .*alignment\.npz was fitted to features of layer: trunk", layer="pgs")
    state = torch.load(checkpoint, weights_only=True)
    state["settings"]["width"] = 16
    torch.save(state, tmp_path / "altered.ckpt")
    refused(
        r"altered\.ckpt: the weights do not fit the network .*resnet10, width 16\)",
        checkpoint=tmp_path / "altered.ckpt",
    )
    state["settings"]["image_encoder"] = "resnet9000"
    torch.save(state, tmp_path / "unknown.ckpt")
    refused(r"image_encoder resnet9000", checkpoint=tmp_path / "unknown.ckpt")


@pytest.fixture
def lookups(tmp_path):
    """Eight loci of a discovery, and two chromosomes of the second cohort; E3 was not tested there."""
    leads = [
        # chrom, pos, effect, other, feature, beta
        ("1", 100, "A", "G", "E1", 0.5),  # found
        ("1", 200, "A", "G", "E2", 0.5),  # swapped there
        ("1", 300, "A", "G", "E1", -0.5),  # other alleles at the position
        ("1", 400, "A", "G", "E1", 0.5),  # absent
        ("1", 500, "A", "G", "E3", 0.5),  # feature absent
        ("2", 600, "AT", "A", "E1", 0.5),  # opposite direction; two variants at the position
        ("2", 700, "C", "T", "E1", 0.5),  # no test there
        ("X", 800, "C", "T", "E1", 0.5),  # chromosome not analysed
    ]
    table = pd.DataFrame(leads, columns=["chrom", "pos", "effect_allele", "other_allele", "best_feature", "beta"])
    table = table.assign(lead_id="rs1", test="manova", log10p=9.5, se=0.1, locus=np.arange(1, 9))
    write_tsv(table, tmp_path / "loci.tsv")
    rows = [
        ("1", 100, "A", "G", "", 0.25, 0.0625),
        ("1", 200, "G", "A", "", -0.25, 0.125),
        ("1", 300, "A", "C", "", 0.25, 0.5),
        ("1", 500, "A", "G", "", 0.25, 0.5),
        ("2", 600, "G", "A", "", 9.0, 0.5),
        ("2", 600, "AT", "A", "", -0.75, 0.5),
        ("2", 700, "T", "C", "rare", np.nan, 0.5),
    ]
    columns = ["chrom", "pos", "effect_allele", "other_allele", "flag", "beta_E2", "eaf"]
    tested = pd.DataFrame(rows, columns=columns).assign(id="rs2", n=np.int32(90))
    tested["beta_E1"] = tested["beta_E2"]
    for name in ("E1", "E2"):
        tested[f"se_{name}"], tested[f"log10p_{name}"] = 0.5, np.where(tested["flag"] == "", 2.5, np.nan)
    tested["n_E2"] = np.int32(80)
    tested["log10p_minp"] = 1.5
    for chrom in ("1", "2"):
        tested[tested["chrom"] == chrom].to_parquet(tmp_path / f"chr{chrom}.parquet", index=False)
    return tmp_path


def replicate(folder):
    paths = {chrom: folder / f"chr{chrom}.parquet" for chrom in ("1", "2")}
    write_replication(folder / "loci.tsv", paths, "minp", folder / "replication.tsv")
    return read_table(folder / "replication.tsv")


def test_replication_by_hand(lookups, caplog):
    caplog.set_level("INFO")
    table = replicate(lookups)
    assert table.columns.tolist() == COLUMNS
    assert table["locus"].tolist() == [*range(1, 9)]
    assert table["reason"].tolist() == [
        "", "", "other alleles at the position", "variant absent", "feature E3 not tested", "", "rare",
        "chromosome not analysed",
    ]  # fmt: skip
    assert table["same_direction"].fillna(-1).tolist() == [1, 1, -1, -1, -1, 0, -1, -1]
    first, second, opposite = table.iloc[0], table.iloc[1], table.iloc[5]
    assert first[["beta", "se", "log10p", "n", "eaf", "test_log10p"]].tolist() == [0.25, 0.5, 2.5, 90, 0.0625, 1.5]
    assert first[["discovery_test", "discovery_log10p", "discovery_beta", "discovery_se", "test"]].tolist() == [
        "manova", 9.5, 0.5, 0.1, "minp",
    ]  # fmt: skip
    assert second[["beta", "n", "eaf", "effect_allele"]].tolist() == [0.25, 80, 0.875, "A"], "turned to the discovery"
    assert opposite["beta"] == -0.75
    assert "3 of 8 loci were tested: 2 have the same direction, 2 of these with p <= 0.05" in caplog.text


def test_no_locus_to_replicate(lookups):
    path = lookups / "loci.tsv"
    path.write_text(path.read_text().splitlines()[0] + "\n")
    table = replicate(lookups)
    assert table.columns.tolist() == COLUMNS and table.empty


def test_effects_that_were_not_kept(lookups):
    table = pd.read_parquet(lookups / "chr1.parquet")
    table.loc[0, ["beta_E1", "se_E1", "log10p_E1"]] = np.nan
    table.to_parquet(lookups / "chr1.parquet", index=False)
    assert replicate(lookups)["reason"][0] == "effect not kept (gwas.columns, gwas.max_p)"


def test_the_folder_of_a_frozen_model(tmp_path):
    config = yaml.safe_load("genotypes: {array: a.bed, chromosomes: [1], kinship: , pcs_file: , ancestry: }")
    config |= {"gwas": {"genotypes": None, "offsets": None}, "plots": {"recombination": None}, "modalities": {}}
    config["genotypes"]["array"] = str(tmp_path / "a.bed")
    for suffix in ("bed", "bim", "fam"):
        (tmp_path / f"a.{suffix}").touch()
    config["models"] = {"first": {"apply": str(tmp_path / "model")}}

    def reported(sentence):
        with pytest.raises(UserError, match=sentence):
            check_files(config)

    reported(r"models\.first\.apply names .*model, which has no fold0/model\.ckpt: name the folder")
    for fold in (0, 1, 3):
        (tmp_path / "model" / f"fold{fold}").mkdir(parents=True)
        (tmp_path / "model" / f"fold{fold}" / "model.ckpt").touch()
    reported(r"which has no alignment\.npz: run the target align in the run that created the folder")
    (tmp_path / "model" / "alignment.npz").touch()
    reported(r"which has no pca\.h5ad: run the target phenotypes")
    (tmp_path / "model" / "pca.h5ad").touch()
    check_files(config)
    assert networks(config, "first") == 2
    assert replicated(config) == []
    (tmp_path / "model" / "loci.tsv").touch()
    assert replicated(config) == ["first"]
