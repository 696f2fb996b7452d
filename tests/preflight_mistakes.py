"""Mistakes in a study: functions that make one, and the finding of preflight (config key, part of the text)."""

import numpy as np
from PIL import Image

from tests.preflight_files import (
    SAMPLES,
    write_array,
    write_embeddings,
    write_expression,
    write_images,
    write_score,
)
from tests.preflight_task_mistakes import TASK_ERRORS, graded


def truncated(one):
    one.edit("chr1.bed", lambda data: data[:-5])


def wrong_magic(one):
    one.edit("chr2.bed", lambda data: b"PK\x03" + data[3:])


def shorter_bim(one):
    one.lines("chr1.bim", lambda lines: lines[:-4])


def shorter_fam(one):
    one.lines("chr2.fam", lambda lines: lines[:-4])


def sample_twice(one):
    for chrom in (1, 2):
        one.lines(f"chr{chrom}.fam", lambda lines: [*lines[:-1], lines[0]])


def other_chromosome(one):
    one.lines("chr2.bim", lambda lines: ["7" + line[1:] for line in lines])


def strangers(one):
    write_images(one.folder, [f"HG{number:05d}" for number in range(90)])


def headerless_keep(one):
    one.lines("keep.tsv", lambda lines: lines[1:])


def no_image_there(one):
    one.lines("images.tsv", lambda lines: [line.replace("eyes/", "eye/") for line in lines])


def unreadable_images(one):
    write_images(one.folder, draw=lambda path: path.write_bytes(b"\x89PNG no photograph"))


def black_images(one):
    write_images(one.folder, draw=lambda path: Image.new("RGB", (64, 64)).save(path))


def image_twice(one):
    one.lines("images.tsv", lambda lines: [*lines, lines[-1]])


def other_build(one):
    for chrom in ("1", "2"):
        write_array(one.folder, chrom, np.random.default_rng(3), build=3)


def score_without_allele(one):
    write_score(one.folder / "PGS2.txt.gz", "PGS2", columns="counted")


def score_of_other_build(one):
    write_score(one.folder / "PGS2.txt.gz", "PGS2", build=3)


def score_twice(one):
    write_score(one.folder / "PGS2.txt.gz", "PGS1")


def scores_elsewhere(one):
    write_score(one.folder / "PGS1.txt.gz", "PGS1", rows=500)


def no_score(one):
    one.set(pgs={"scores": "scores/*.gz"})


def annotations_of_others(one):
    one.lines("annotations.txt", lambda lines: [line.replace(":G:A", ":C:T") for line in lines])


def unknown_mask(one):
    one.set(burden={"masks": {"lof": ["frameshift"]}})


def sets_of_other_chromosomes(one):
    one.lines("sets.txt", lambda lines: [line.replace(" 1 ", " 8 ").replace(" 2 ", " 9 ") for line in lines])


def absent_covariate(one):
    one.set(gwas={"covariates": ["sex", "height_cm"]})


def covariate_of_texts(one):
    def add(lines):
        return [lines[0] + "\tsite", *(f"{line}\tplace {number}" for number, line in enumerate(lines[1:]))]

    one.lines("covariates.tsv", add)
    one.set(gwas={"covariates": ["site"]})


def covariates_of_others(one):
    one.lines("covariates.tsv", lambda lines: [lines[0], *(f"X{line}" for line in lines[1:])])


def phenotypes_twice(one):
    one.lines("traits.tsv", lambda lines: [*lines, lines[-1]])


def phenotypes_with_text(one):
    one.lines("traits.tsv", lambda lines: [lines[0], *(f"{line}x" for line in lines[1:])])


def embeddings_without_values(one):
    write_embeddings(one.folder, np.full((90, 6), np.nan, np.float32))


def no_embeddings(one):
    (one.folder / "deep.h5ad").write_text("no HDF5\n")


def kinship_without_column(one):
    one.lines("rel.kin0", lambda lines: [lines[0].replace("KINSHIP", "PI_HAT"), *lines[1:]])


def components_missing(one):
    one.set(genotypes={"pcs": 5})


def genes_of_other_build(one):
    one.lines("genes.gtf", lambda lines: [lines[0].replace("GRCh37", "GRCh38"), *lines[1:]])


def no_map(one):
    (one.folder / "map.txt").write_text("a b\n1 2\n")


def offsets_without_file(one):
    (one.folder / "first.loco").unlink()


def modality_with_text(one):
    one.lines("blood.tsv", lambda lines: [*lines[:-1], f"{lines[-1].split()[0]}\thigh"])


def gene_twice(one):
    one.lines("expression.csv", lambda lines: [lines[0].replace("DEF", "ABC"), *lines[1:]])


def negative_counts(one):
    one.lines("expression.csv", lambda lines: [lines[0], *(line.replace(",", ",-", 1) for line in lines[1:])])


def expression_with_text(one):
    one.lines("expression.csv", lambda lines: [lines[0] + ",subtype", *(line + ",LumA" for line in lines[1:])])


def expression_of_strangers(one):
    write_expression(one.folder, [f"HG{number:05d}" for number in range(90)])


def expression_without_image(one):
    write_images(one.folder, SAMPLES[:40], files=90)
    write_expression(one.folder, SAMPLES[40:])


def expression_turned(one):
    cells = [line.split(",") for line in (one.folder / "expression.csv").read_text().splitlines()]
    (one.folder / "expression.csv").write_text("".join(",".join(row) + "\n" for row in zip(*cells, strict=True)))


def expression_of_another_scale(one):
    one.set(expression={"scale": "log"})
    one.lines("expression.csv", lambda lines: [lines[0], *(line + "00" for line in lines[1:])])


def genes_of_another_list(one):
    (one.folder / "positions.txt").write_text("1 1000 2000 GHI\n")


def large_batch(one):
    one.config["models"]["contig"] = {**one.config["models"]["contig"], "batch": 80}


def many_components(one):
    one.set(genotypes={"pcs": 90, "pcs_file": None}, gwas={"covariates": []})


def all_withdrawn(one):
    (one.folder / "withdrawn.txt").write_text("\n".join(SAMPLES[:85]) + "\n")


def results_is_a_file(one):
    (one.folder / "results").write_text("")


ERRORS = [
    (truncated, "genotypes.array", "it is truncated"),
    (wrong_magic, "genotypes.array", "Supply a .bed file"),
    (shorter_bim, "genotypes.array", "the three files do not belong together"),
    (shorter_fam, "genotypes.array", "must have the same samples"),
    (sample_twice, "genotypes.array", "Keep one row per sample"),
    (other_chromosome, "genotypes.array", "has no variant on chromosome 2 (it has 7). Correct the config"),
    (strangers, "images.table", "IIDs must be written the same way in both"),
    (headerless_keep, "samples.keep", "keep.tsv has no column iid"),
    (no_image_there, "images.table", "Paths are relative to the table"),
    (unreadable_images, "images.table", "(90 unreadable). Correct the paths"),
    (black_images, "images.table", "black). Correct the paths"),
    (image_twice, "images.table", "give each image one row and one sample"),
    (other_build, "genotypes.build", "but genotypes.build is GRCh37: correct it, or supply genotypes on GRCh37"),
    (score_without_allele, "pgs.scores", "Supply a scoring file of the PGS Catalog"),
    (score_of_other_build, "pgs.scores", "the file that the PGS Catalog harmonised to GRCh37"),
    (score_twice, "pgs.scores", "Keep one"),
    (scores_elsewhere, "pgs.scores", "lower pgs.min_overlap"),
    (no_score, "pgs.scores", "correct it or put the files there"),
    (annotations_of_others, "burden.annotations", "Check that both are on the same build"),
    (unknown_mask, "burden.masks", "Its categories are LoF, missense. Correct burden.masks"),
    (sets_of_other_chromosomes, "burden.sets", "no gene is on the chromosomes of genotypes.chromosomes"),
    (absent_covariate, "gwas.covariates", "Correct the names, or increase genotypes.pcs"),
    (covariate_of_texts, "gwas.covariates", "Write numbers, use factor(name) in gwas.covariates for categories"),
    (covariates_of_others, "samples.covariates", "IIDs must be written the same way in both"),
    (phenotypes_twice, "models.traits.phenotypes", "Keep one row per sample"),
    (phenotypes_with_text, "models.traits.phenotypes", "Write numbers, and NA where a value is missing"),
    (embeddings_without_values, "models.deep.embeddings", "Remove the features with missing values"),
    (no_embeddings, "models.deep.embeddings", "Write it with anndata"),
    (kinship_without_column, "genotypes.kinship", "has no column KINSHIP. Its header has iid1, iid2, pi_hat"),
    (components_missing, "genotypes.pcs_file", "has no column PC3"),
    (genes_of_other_build, "loci.genes", "Supply a list of GRCh37"),
    (no_map, "plots.recombination", "is not a recombination map: expected"),
    (offsets_without_file, "gwas.offsets", "Put them into the folder of this file"),
    (modality_with_text, "modalities.blood", "Supply samples x numbers"),
    (gene_twice, "expression.table", "Rename or drop them"),
    (negative_counts, "expression.table", "but counts are not. Correct them"),
    (expression_with_text, "expression.table", "Name columns that are not genes in expression.drop"),
    (expression_of_strangers, "expression.table", "IIDs must be written the same way in both"),
    (expression_without_image, "expression.table", "supply expression of samples with images"),
    (expression_turned, "expression.table", "with one row per sample and one column per gene"),
    (expression_of_another_scale, "expression.table", "They look like TPM or counts: correct expression.scale"),
    (genes_of_another_list, "expression.genes", "Supply a list with the same names"),
    (large_batch, "models.contig.batch", "lower batch, or use fewer folds"),
    (many_components, "genotypes.pcs", "only 84 samples are analysed: lower it"),
    (all_withdrawn, "samples", "correct the lists"),
    *TASK_ERRORS,
    (results_is_a_file, "results", "run in another folder with --directory"),
]


def some_missing(one):
    write_images(one.folder, [*SAMPLES, *SAMPLES], files=90)


def some_unreadable(one):
    (one.folder / "eyes/003.png").write_bytes(b"no photograph")


def some_black(one):
    Image.new("RGB", (64, 64)).save(one.folder / "eyes/000.png")


def withdrawn_without_genotypes(one):
    (one.folder / "withdrawn.txt").write_text("P000001\nP000002\n")


def constant_covariate(one):
    one.lines("covariates.tsv", lambda lines: [lines[0], *(line.rsplit("\t", 1)[0] + "\t60" for line in lines[1:])])


def covariate_missing(one):
    one.lines("covariates.tsv", lambda lines: lines[:60])


def some_masks_missing(one):
    (one.folder / "eyes/003_mask.png").unlink()


def grades_of_unknown_samples(one):
    graded(one, [f"{iid},{place % 2}" for place, iid in enumerate([*SAMPLES[1:80], *(f"X{n}" for n in range(9))])])


def some_embeddings(one):
    values = np.random.default_rng(1).normal(size=(90, 6)).astype(np.float32)
    values[3, 2] = np.nan
    write_embeddings(one.folder, values)


def scores_elsewhere_but_others_fetched(one):
    scores_elsewhere(one)
    one.set(pgs={"download": ["PGS000018"]})


def offsets_of_another_feature(one):
    one.lines("contig_pred.list", lambda lines: [*lines, "E3 third.loco"])


def one_score_elsewhere(one):
    write_score(one.folder / "PGS2.txt.gz", "PGS2", rows=500)


def small_heldout(one):
    one.config["models"]["contig"] = {**one.config["models"]["contig"], "folds": 1}


def tpm_that_are_logarithms(one):
    one.set(expression={"scale": "tpm"})
    one.lines("expression.csv", lambda lines: [lines[0], *(line.split(",")[0] + ",3,4.5,0" for line in lines[1:])])


def lock_left(one):
    (one.folder / ".snakemake/locks").mkdir(parents=True)
    (one.folder / ".snakemake/locks/0.output.lock").write_text("results/samples/cohort.tsv\n")


WARNINGS = [
    (some_missing, "images.table", "images.tsv: 90 of the 180 files that were looked up do not exist"),
    (some_unreadable, "images.table", "(1 unreadable). Such images are dropped"),
    (some_black, "images.table", "(1 black). Such images are dropped"),
    (withdrawn_without_genotypes, "samples.withdrawn", "Write the same IDs as in the genotypes"),
    (constant_covariate, "gwas.covariates", "remove it from gwas.covariates"),
    (covariate_missing, "gwas.covariates", "samples have no age, and are not tested: complete it"),
    (some_masks_missing, "downstream.spot.table", "masks.tsv: 1 of 30 images have no mask file and are left out"),
    (grades_of_unknown_samples, "downstream.grade.table", "samples of grades.csv are not analysed"),
    (some_embeddings, "models.deep.embeddings", "1 of 90 checked samples have a missing value"),
    (one_score_elsewhere, "pgs.scores", "1 of 2 scores have less than 0.75 of their rows"),
    (scores_elsewhere_but_others_fetched, "pgs.scores", "1 of 1 scores have less than 0.75 of their rows"),
    (
        offsets_of_another_feature,
        "gwas.offsets",
        "1 listed .loco files do not exist (the first is of E3). Put those of",
    ),
    (small_heldout, "models.contig", "raise samples.heldout, or cross-fit with folds: 3 or more"),
    (tpm_that_are_logarithms, "expression.table", "If they are logarithms, set expression.scale: log"),
    (lock_left, ".snakemake/locks", "unlock it with snakemake --unlock"),
]


def kept(text: str) -> str:
    """The text of a table without line breaks."""
    return " ".join(text.split())
