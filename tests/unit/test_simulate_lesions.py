"""Simulated expression, heads and tumours: the files, and that the formulas that the docs state are what is drawn."""

import shutil

import nibabel
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.ndimage import distance_transform_edt
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from contigwas.loci.genes import read_genes
from contigwas.runtime.errors import UserError
from contigwas.simulate.brain import BRAIN, Places, anatomy, radius
from contigwas.simulate.expression import draw_loadings, express, make_programmes, simulate_expression
from contigwas.simulate.lesions import simulate_lesions
from contigwas.simulate.settings import LATENTS, PROGRAMMES, Lesions, Simulation
from contigwas.simulate.tumours import Tumours, render

LESIONS = {"dimensions": 2, "genes": 400, "driven": 0.7, "contrast": 0.2, "distractors": 0.6}
SETTINGS = {
    "n_samples": 400,
    "chromosomes": 2,
    "megabases": 0.5,
    "related_pairs": 10,
    "polygenic_snps": 30,
    "polygenic_h2": 0.22,
    "planted_q2": [0.05],
    "burden_q2": 0.02,
    "ancestry_shift": 1.0,
    "pgs": {"relevant": 6, "irrelevant": 2, "noise": 0.9},
    "missing_calls": 0.01,
    "missing_rate": 0.1,
    "image_size": 64,
    "unusable_images": 7,
    "nuisance": 1.0,
    "lesions": LESIONS,
}


def plan(**changed):
    """A quiet scanner, one tumour, nobody with a lookalike, unless said."""
    usual = {"size": 64, "nuisance": 0.0, "missing_rate": 0.1, "unusable": 0, "distractors": 0.0}
    return Lesions(**{**LESIONS, **usual, **changed})


def drawn(many=60, seed=0, settings=None, **programmes):
    """Pictures, masks and lookalikes of `many` samples, average but for the `programmes` given."""
    traits = np.zeros((many, len(PROGRAMMES)))
    for name, value in programmes.items():
        traits[:, PROGRAMMES.index(name)] = value
    return render(traits, settings or plan(), np.random.default_rng(seed))


@pytest.fixture(scope="module")
def latents(tmp_path_factory):
    path = tmp_path_factory.mktemp("latents") / "latents.tsv"
    table = pd.DataFrame(np.random.default_rng(0).standard_normal((400, 6)), columns=list(LATENTS))
    table.insert(0, "iid", [str(1000001 + row) for row in range(400)])
    table.insert(0, "fid", table["iid"])
    table.to_csv(path, sep="\t", index=False)
    return path


def simulated(latents, folder, settings=SETTINGS, seed=5):
    simulate_expression(latents, folder, settings, seed)
    simulate_lesions(folder / "programmes.tsv", folder, settings, seed)
    return folder


@pytest.fixture(scope="module")
def folder(latents, tmp_path_factory):
    return simulated(latents, tmp_path_factory.mktemp("heads"))


def table(folder, name):
    return pd.read_csv(folder / f"{name}.tsv", sep="\t", dtype={"iid": str})


def content(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_who_has_a_picture_and_who_has_expression_differ(folder):
    images, masks, expression = (table(folder, name) for name in ("images", "masks", "expression"))
    assert list(images) == ["iid", "visit", "path"]
    assert list(masks) == ["iid", "visit", "path", "mask"]
    pd.testing.assert_frame_equal(images, masks[["iid", "visit", "path"]])
    assert images["iid"].is_unique
    assert expression["iid"].is_unique
    assert len(images) == len(expression) == 360
    assert set(images["iid"]) != set(expression["iid"])
    assert table(folder, "programmes")["iid"].tolist() == [str(1000001 + row) for row in range(400)]
    on_disk = {str(path.relative_to(folder)) for part in ("images", "masks") for path in (folder / part).iterdir()}
    assert on_disk == {*masks["path"], *masks["mask"]}


def test_names_say_nothing_about_the_sample(folder):
    images = table(folder, "images")
    numbers = images["path"].str.extract(r"(\d+)")[0].astype(int)
    assert numbers.tolist() == list(range(360))
    assert abs(np.corrcoef(numbers, images["iid"].astype(int))[0, 1]) < 0.15


def test_as_many_pictures_are_unusable_as_asked_and_no_mask(folder):
    states = []
    for path in table(folder, "images")["path"]:
        try:
            with Image.open(folder / path) as image:
                assert image.mode == "L"
                pixels = np.asarray(image)
        except OSError:
            states.append("truncated")
            continue
        states.append("usable" if pixels.std() > 0 else "black" if pixels.max() == 0 else "blank")
    assert {one: states.count(one) for one in states} == {"usable": 353, "black": 3, "blank": 2, "truncated": 2}
    for path in table(folder, "masks")["mask"]:
        pixels = np.asarray(Image.open(folder / path))
        assert pixels.shape == (64, 64)
        assert np.unique(pixels).tolist() == [0, 1]


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(latents, folder, tmp_path):
    assert content(simulated(latents, tmp_path / "again")) == content(folder)
    other = content(simulated(latents, tmp_path / "other", seed=6))
    assert all(other[name] != there for name, there in content(folder).items() if name.endswith(".tsv"))


def test_a_smaller_cohort_of_another_kind_removes_the_files_of_the_first(latents, folder, tmp_path):
    shutil.copytree(folder, tmp_path / "heads")
    foreign = tmp_path / "heads/masks/mine.png"
    foreign.write_bytes(b"kept")
    few = pd.read_csv(latents, sep="\t", dtype=str).head(20)
    few.to_csv(tmp_path / "few.tsv", sep="\t", index=False)
    small = {**SETTINGS, "image_size": 32, "lesions": {**LESIONS, "dimensions": 3}}
    simulated(tmp_path / "few.tsv", tmp_path / "heads", small)
    kept = {path.name for path in (tmp_path / "heads/masks").iterdir()}
    assert kept == {"mine.png", *(f"{number:06d}.nii.gz" for number in range(18))}
    assert len(list((tmp_path / "heads/images").iterdir())) == 18


def test_programmes_follow_their_latents_as_far_as_asked():
    latents = np.random.default_rng(1).standard_normal((20_000, 6))
    programmes = make_programmes(latents, 0.36, np.random.default_rng(2))
    both = np.corrcoef(latents.T, programmes.T)[:6, 6:]
    np.testing.assert_allclose(np.diag(both), 0.6, atol=0.02)
    np.testing.assert_allclose(both - np.diag(np.diag(both)), 0, atol=0.03)
    np.testing.assert_allclose(programmes.std(axis=0), 1, atol=0.02)
    np.testing.assert_array_equal(make_programmes(latents, 1.0, np.random.default_rng(2)), latents)


def test_each_gene_follows_its_own_programme_and_no_other():
    programmes = np.random.default_rng(3).standard_normal((4_000, 6))
    loadings = draw_loadings(200, np.random.default_rng(4))
    assert np.bincount(loadings.programme + 1).tolist() == [80, 20, 20, 20, 20, 20, 20]
    everything = loadings.own**2 + (loadings.background**2).sum(axis=1) + loadings.noise**2
    np.testing.assert_allclose(everything, 1)
    tpm = express(programmes, loadings, np.random.default_rng(5))
    assert (tpm >= 0).all()
    strong = loadings.mean > 3  # many reads: next to no noise of counting
    found = np.corrcoef(programmes.T, np.log(np.maximum(tpm, 0.01)).T)[:6, 6:]
    planted = np.where(loadings.programme == np.arange(6)[:, None], loadings.own, 0)
    np.testing.assert_allclose(found[:, strong], planted[:, strong], atol=0.08)


def test_expression_looks_like_tpm():
    """Log-normal over samples; what is weakly expressed is noisier on the log scale, and has zeros."""
    loadings = draw_loadings(400, np.random.default_rng(6))
    tpm = express(np.random.default_rng(7).standard_normal((600, 6)), loadings, np.random.default_rng(8))
    mean, excess = np.log(tpm.mean(axis=0)), np.log1p(tpm).std(axis=0)
    assert np.median(tpm) == pytest.approx(np.exp(2.2), rel=0.25)
    weak, strong = loadings.mean < 0, loadings.mean > 3
    relative = np.log(tpm.std(axis=0) / tpm.mean(axis=0)) - np.log(np.sqrt(np.expm1(loadings.sd**2)))
    assert relative[weak].mean() > relative[strong].mean() + 0.15, "counting adds noise to weak genes"
    assert abs(relative[strong].mean()) < 0.1, "log-normal with the SD that was drawn"
    assert (tpm[:, weak] == 0).mean() > 0.02 > (tpm[:, strong] == 0).mean()
    assert np.corrcoef(mean, np.log(tpm.var(axis=0)))[0, 1] > 0.9
    assert excess.max() < 3


def test_genes_are_a_list_that_the_pipeline_reads(folder):
    genes = read_genes(folder / "genes.tsv")
    expression = table(folder, "expression")
    assert sorted(genes["name"]) == list(expression)[1:] == [f"GX{number:05d}" for number in range(1, 401)]
    assert genes["name"].tolist() != sorted(genes["name"]), "names do not give the places away"
    assert set(genes["chrom"]) == {"1", "2"}
    assert (genes["start"] >= 1).all()
    assert (genes["end"] <= 500_000).all()
    assert (genes["end"] - genes["start"]).min() > 1_000
    order = genes.assign(chrom=genes["chrom"].astype(int)).sort_values(["chrom", "start"])
    assert order["name"].tolist() == genes["name"].tolist()


def test_size_border_halo_core_and_contrast_are_the_formulas_of_the_docs():
    programmes = np.random.default_rng(9).standard_normal((3_000, 6))
    trait = dict(zip(PROGRAMMES, np.clip(programmes, -2.5, 2.5).T, strict=True))
    tumours = Tumours.of(programmes, 0.2, 2, np.random.default_rng(10))
    error = np.log(tumours.radius) - np.log(0.19) - 0.25 * trait["proliferation"]
    assert error.std() == pytest.approx(0.08, abs=0.005)
    assert abs(error.mean()) < 0.005
    np.testing.assert_allclose(
        tumours.irregularity, np.minimum(0.10 * np.exp(0.4 * trait["invasion"]), 0.35), rtol=1e-5
    )
    np.testing.assert_allclose(tumours.halo, 0.05 * np.exp(0.5 * trait["oedema"]), rtol=1e-5)
    np.testing.assert_allclose(tumours.core, np.clip(0.25 + 0.15 * trait["necrosis"], 0, 0.6), atol=1e-6)
    grey = np.sign(trait["angiogenesis"]) * 0.2 * (0.75 + 0.25 * np.abs(trait["angiogenesis"]))
    np.testing.assert_allclose(tumours.contrast, grey, rtol=1e-5)
    assert (radius(tumours.centre[:, :, None, None]) < 0.61).all()


@pytest.mark.parametrize(("dimensions", "size"), [(2, 64), (3, 32)])
def test_a_mask_is_the_tumour_s_pixels(dimensions, size):
    """Without waves on the border a mask is the disc (or ball) of the radius; and only there, and in the halo, does the
    picture differ from the same head without contrast."""
    settings = plan(dimensions=dimensions, size=size, contrast=0.3)
    still = drawn(24, settings=settings, invasion=-2.5, oedema=-2.5)
    flat = drawn(24, settings=plan(dimensions=dimensions, size=size, contrast=1e-6), invasion=-2.5, oedema=-2.5)
    np.testing.assert_array_equal(still[1], flat[1])
    assert not still[2].any()
    half = size / 2
    expected = (np.pi if dimensions == 2 else 4 / 3 * np.pi) * (0.19 * half) ** dimensions
    area = still[1].reshape(24, -1).sum(axis=1)
    assert np.median(area) == pytest.approx(expected, rel=0.12)
    changed = np.abs(still[0].astype(int) - flat[0].astype(int))
    inside = still[1].astype(bool)
    assert changed[inside].mean() > 20
    assert changed[~inside].mean() < 0.5
    far = np.array([distance_transform_edt(~one) > 8 / 64 * size for one in inside])
    assert (changed[far] < 20).all()


def test_size_grows_with_proliferation_alone():
    programmes = np.random.default_rng(11).standard_normal((600, 6))
    _, masks, _ = render(programmes, plan(), np.random.default_rng(12))
    area = np.log(masks.reshape(600, -1).sum(axis=1))
    found = np.array([np.corrcoef(area, programmes[:, one])[0, 1] for one in range(6)])
    # 0.25 / sqrt(0.25² + 0.08²) of the radius; the border's waves and the pixels add a little noise
    assert 0.87 < found[0] <= 0.96
    assert np.abs(found[1:]).max() < 0.13


def test_the_border_is_less_regular_with_invasion():
    def roughness(value):
        """Border pixels against those of a disc of the same area."""
        masks = drawn(80, invasion=value)[1].astype(int)
        border = np.abs(np.diff(masks, axis=1)).sum(axis=(1, 2)) + np.abs(np.diff(masks, axis=2)).sum(axis=(1, 2))
        return np.mean(border / np.sqrt(masks.sum(axis=(1, 2))))

    assert roughness(-2.5) < roughness(0) < roughness(2.5)


@pytest.mark.parametrize(("value", "sign"), [(1.5, 1), (-1.5, -1)])
def test_angiogenesis_above_zero_is_bright_and_below_dark(value, sign):
    pictures, masks, _ = drawn(settings=plan(contrast=0.2), angiogenesis=value, necrosis=-2.5)
    flat, same, _ = drawn(settings=plan(contrast=1e-6), angiogenesis=value, necrosis=-2.5)
    np.testing.assert_array_equal(masks, same)
    inside = masks.astype(bool)
    difference = (pictures[inside].astype(float) - flat[inside]).mean() / 255
    assert difference == pytest.approx(sign * 0.2 * (0.75 + 0.25 * 1.5), abs=0.07)


def test_oedema_widens_the_halo_and_not_the_mask():
    thin, wide = (drawn(oedema=value, settings=plan(contrast=0.3)) for value in (-2.0, 2.0))
    flat = drawn(settings=plan(contrast=1e-6))
    np.testing.assert_array_equal(thin[1], wide[1])
    outside = thin[1] == 0

    def spread(pictures):
        return np.abs(pictures[0].astype(int) - flat[0].astype(int))[outside].mean()

    assert spread(wide) > 2 * spread(thin)


def test_necrosis_turns_the_middle_over():
    dead, alive = (drawn(angiogenesis=2.0, necrosis=value, proliferation=2.0) for value in (2.3, -2.5))
    inside = dead[1].astype(bool)
    assert dead[0][inside].mean() < alive[0][inside].mean() - 10


def test_atrophy_widens_the_ventricles():
    def fluid(value):
        places = Places.draw(30, 2, 64, 0.0, np.random.default_rng(0))
        picture = anatomy(places, np.full(30, value), np.random.default_rng(1))
        middle = np.hypot(places.points[:, 0], places.points[:, 1]) < 0.3
        return (picture < 0.3)[middle].sum()

    assert fluid(-2) < 0.8 * fluid(0) < 0.64 * fluid(2)


@pytest.mark.parametrize(("dimensions", "size"), [(2, 64), (3, 32)])
def test_a_lookalike_is_apart_from_the_tumour_of_the_other_polarity_and_like_tumours_in_size(dimensions, size):
    programmes = np.random.default_rng(13).standard_normal((120, 6))
    settings = plan(dimensions=dimensions, size=size, distractors=1.0, contrast=0.3)
    pictures, masks, others = render(programmes, settings, np.random.default_rng(14))
    flat, _, _ = render(programmes, plan(dimensions=dimensions, size=size, distractors=1.0, contrast=1e-6),
                        np.random.default_rng(14))  # fmt: skip
    assert not (masks & others).any()
    both = others.reshape(120, -1).any(axis=1)
    assert both.mean() > 0.95
    change = pictures.astype(int) - flat.astype(int)
    tumour, lookalike = (
        np.array([np.sign(change[row][part[row] > 0].mean()) for row in np.flatnonzero(both)])
        for part in (masks, others)
    )
    sign = np.sign(programmes[both, PROGRAMMES.index("angiogenesis")])
    assert (tumour == sign).mean() > 0.93, "a core in a small tumour may outweigh the rest"
    assert (lookalike == -sign).mean() > 0.93
    sizes = np.log([part.reshape(120, -1).sum(axis=1)[both] for part in (masks, others)])
    assert abs(sizes[0].mean() - sizes[1].mean()) < 0.2
    assert abs(np.corrcoef(sizes[1], programmes[both, 0])[0, 1]) < 0.3


def test_a_tumour_lies_in_the_brain():
    settings = plan(nuisance=0.0, distractors=1.0)
    _, masks, others = drawn(60, settings=settings, proliferation=2.5)
    inside = radius(Places.draw(60, 2, 64, 0.0, np.random.default_rng(0)).points) < BRAIN
    assert not masks[~inside].any()
    assert not others[~inside].any()


def test_expression_tells_size_and_polarity(folder):
    expression, masks = table(folder, "expression").set_index("iid"), table(folder, "masks").set_index("iid")
    truth = table(folder, "programmes").set_index("iid")
    both = expression.index.intersection(masks.index)
    learn, test = both[:200], both[200:]
    logs = np.log1p(expression)
    area = pd.Series({iid: np.log(np.asarray(Image.open(folder / masks.loc[iid, "mask"])).sum()) for iid in both})
    ridge = make_pipeline(StandardScaler(), RidgeCV(np.logspace(0, 4, 9))).fit(logs.loc[learn], area[learn])
    assert np.corrcoef(ridge.predict(logs.loc[test]), area[test])[0, 1] > 0.7
    bright = truth["angiogenesis"] > 0
    logistic = make_pipeline(StandardScaler(), LogisticRegression(C=0.01)).fit(logs.loc[learn], bright[learn])
    assert logistic.score(logs.loc[test], bright[test]) > 0.8


def test_volumes_are_nifti_in_a_known_orientation(latents, tmp_path):
    settings = {**SETTINGS, "image_size": 32, "unusable_images": 3, "lesions": {**LESIONS, "dimensions": 3}}
    few = pd.read_csv(latents, sep="\t", dtype=str).head(20)
    few.to_csv(tmp_path / "few.tsv", sep="\t", index=False)
    simulated(tmp_path / "few.tsv", tmp_path / "once", settings)
    simulated(tmp_path / "few.tsv", tmp_path / "twice", settings)
    assert content(tmp_path / "once") == content(tmp_path / "twice")
    masks = table(tmp_path / "once", "masks")
    assert len(masks) == 18
    for path in masks["mask"]:
        mask = nibabel.load(tmp_path / "once" / path)
        assert mask.shape == (32, 32, 32)
        assert nibabel.aff2axcodes(mask.affine) == ("R", "A", "S")
        assert np.unique(np.asarray(mask.dataobj)).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"lesions": {**LESIONS, "genes": 59}}, r"lesions\.genes is 59, but 6 programmes need 10 genes each"),
        (
            {"image_size": 97, "lesions": {**LESIONS, "dimensions": 3}},
            r"image_size is 97, but simulated volumes .* have 96 voxels a side at most",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_before_the_cohort_is_made(settings, sentence):
    with pytest.raises(UserError, match=sentence):
        Simulation.of({**SETTINGS, **settings})


def test_more_unusable_pictures_than_samples_are_refused(folder, tmp_path):
    with pytest.raises(UserError, match="unusable_images is 361, but there are only 360"):
        simulate_lesions(folder / "programmes.tsv", tmp_path, {**SETTINGS, "unusable_images": 361}, 5)
    assert not (tmp_path / "masks.tsv").exists()
