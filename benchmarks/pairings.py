"""Calibration on real data: random pairings of real photographs with real genotypes, in which nothing is to be found.

Run it in a folder where tests/config/real.yaml has been run to its end; genotype stages are taken from there:

    python benchmarks/pairings.py --config tests/config/real.yaml --pairings 20

Every pairing goes through the stages of the pipeline (pairing, images, pretrain, embed, align, phenotypes, gwas,
loci), called from the library as the rules call them. Appends to benchmarks/pairings.tsv: seed, people, lambda of the
omnibus test, mean lambda of the features, loci at p1; prints the mean of lambda and two standard errors. Seeds that
are in the table are not run again.
"""

import argparse
import logging
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from contigwas.align import align  # noqa: E402
from contigwas.config import check, settings  # noqa: E402
from contigwas.embed import embed  # noqa: E402
from contigwas.files import read_table, write_tsv  # noqa: E402
from contigwas.gwas.gwas import write_gwas  # noqa: E402
from contigwas.gwas.summary import read_lambda  # noqa: E402
from contigwas.images import write_images  # noqa: E402
from contigwas.loci import write_loci  # noqa: E402
from contigwas.phenotypes import write_phenotypes  # noqa: E402
from contigwas.pretrain.train import train  # noqa: E402
from contigwas.simulate.pairing import pair  # noqa: E402

MODEL = "contig"


def one_pairing(config: dict, results: Path, folder: Path, seed: int) -> dict[str, float]:
    """Run one pairing in `folder`, with the genotype stages of `results`."""
    array, chromosomes = config["genotypes"]["array"], config["genotypes"]["chromosomes"]
    cohort, pcs = results / "samples/cohort.tsv", results / "genotypes/pcs.parquet"
    pair(array, config["pairing"]["photographs"], folder, None, chromosomes, seed)
    images = folder / "images.npy", folder / "images.parquet"
    write_images(folder / "images.tsv", cohort, config["images"], *images, folder / "dropped.tsv")

    names = ["model", "seed", "math_threads", "samples.validation", "samples.heldout"]
    recipe = {**settings(config, *names, model=MODEL), "seed": seed}
    modalities = {name: results / f"modalities/{name}.h5ad" for name in recipe["modalities"]}
    embeddings = []
    for fold in range(recipe["folds"]):
        checkpoint = folder / f"model{fold}.ckpt"
        train(cohort, *images, modalities, recipe, fold, checkpoint, folder / f"history{fold}.csv")
        embeddings.append(folder / f"fold{fold}.h5ad")
        embed(checkpoint, *images, cohort, settings(config, "math_threads"), embeddings[-1])
    aligned = folder / "embeddings.h5ad"
    align(embeddings, aligned, folder / "alignment.json", genetics=True)
    phenotypes, covariates = folder / "phenotypes.parquet", folder / "covariates.parquet"
    wanted = settings(config, "phenotypes", "gwas.covariates", "math_threads", model=MODEL)
    write_phenotypes(aligned, embeddings[0], cohort, None, pcs, wanted, phenotypes, covariates, folder / "pca.h5ad")
    tables, summaries = {}, []
    for chrom in map(str, chromosomes):
        tables[chrom] = folder / f"chr{chrom}.parquet"
        summaries.append(folder / f"chr{chrom}.summary.parquet")
        variants = results / f"genotypes/variants/chr{chrom}.parquet"
        write_gwas(
            array, chrom, variants, phenotypes, covariates, settings(config, "gwas"), tables[chrom], summaries[-1]
        )
    write_loci(tables, array, cohort, settings(config, "loci"), folder / "loci.tsv")

    lambdas = read_lambda(summaries).set_index("test")["lambda"]
    features = [name for name in pd.read_parquet(phenotypes).columns if name != "iid"]
    return {
        "seed": seed,
        "people": len(pd.read_parquet(phenotypes)),
        "lambda": lambdas[config["loci"]["test"]],
        "lambda_features": lambdas[features].mean(),
        "loci": len(read_table(folder / "loci.tsv")),
    }


def main() -> None:
    """Run the pairings that the table lacks, then print the summary."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, type=Path)
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--pairings", type=int, default=20)
    parser.add_argument("--first", type=int, default=1, help="the first seed: several calls may share the work")
    parser.add_argument("--table", type=Path, default=ROOT / "benchmarks/pairings.tsv")
    arguments = parser.parse_args()
    logging.getLogger("lightning").setLevel(logging.ERROR)

    config = yaml.safe_load(arguments.config.read_text())
    check(config, ROOT / "workflow/schemas/config.schema.yaml")
    torch.set_num_threads(config["math_threads"])
    table = read_table(arguments.table) if arguments.table.exists() else pd.DataFrame(columns=["seed"])
    for seed in range(arguments.first, arguments.first + arguments.pairings):
        if seed in table["seed"].to_list():
            continue
        folder = Path(tempfile.mkdtemp(prefix="pairing"))
        try:
            row = one_pairing(config, arguments.results, folder, seed)
        finally:
            shutil.rmtree(folder)
        table = pd.concat([table, pd.DataFrame([row])], ignore_index=True)
        write_tsv(table, arguments.table)
        sys.stdout.write(f"{row}\n")
    for name in ("lambda", "lambda_features"):
        error = table[name].std() / np.sqrt(len(table))
        line = (
            f"{name}: mean {table[name].mean():.4f} over {len(table)} pairings, two standard errors {2 * error:.4f}\n"
        )
        sys.stdout.write(line)
    sys.stdout.write(f"loci: {int(table['loci'].sum())} in all\n")


if __name__ == "__main__":
    main()
