"""Calibration on real data: random pairings of real photographs with real genotypes, without any association.

Run it in a folder in which tests/config/real.yaml has been run completely; the genotype stages are taken from there:

    python benchmarks/pairings.py --config tests/config/real.yaml --pairings 20

Every pairing runs the stages of the pipeline (pairing, images, pretrain, embed, align, phenotypes, gwas, loci), called
from the library as the rules call them. Appends to benchmarks/pairings.tsv: seed, number of samples, lambda of the test
over features, mean lambda of the features, loci at p1. Prints the mean of lambda and two standard errors. Seeds
that are in the table are not run again.
"""

import argparse
import logging
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import stages
import torch
import yaml

from contigwas.config.check import check_config
from contigwas.images.store import write_images
from contigwas.runtime.atomic_files import write_tsv
from contigwas.simulate.pairing import pair
from contigwas.tables.text import read_table

ROOT = stages.ROOT
MODEL = "contig"


def one_pairing(config: dict, results: Path, folder: Path, seed: int) -> dict[str, float]:
    """Run one pairing in `folder`, with the genotype stages of `results`."""
    array, chromosomes = config["genotypes"]["array"], tuple(map(str, config["genotypes"]["chromosomes"]))
    pair(array, config["pairing"]["photographs"], folder, None, chromosomes, seed)
    cohort = stages.Cohort(
        folder,
        array,
        chromosomes,
        str(results / "genotypes/variants/chr{chrom}.parquet"),
        results / "samples/cohort.tsv",
        results / "genotypes/pcs.parquet",
        None,
        (folder / "images.npy", folder / "images.parquet"),
        {name: results / f"modalities/{name}.h5ad" for name in config["models"][MODEL]["modalities"]},
    )
    write_images(folder / "images.tsv", cohort.samples, config["images"], *cohort.images, folder / "dropped.tsv")
    embeddings = stages.embedded(config, cohort, MODEL, folder, seed=seed)
    together = stages.aligned(config, MODEL, embeddings, folder)
    gwas = stages.tested(config, cohort, MODEL, together, embeddings[0], folder)
    lambdas = gwas.lambdas()
    return {
        "seed": seed,
        "n_samples": len(pd.read_parquet(gwas.phenotypes)),
        "lambda": lambdas[config["loci"]["test"]],
        "lambda_features": lambdas[gwas.features()].mean(),
        "loci": len(stages.loci_of(gwas)),
    }


def main() -> None:
    """Run the pairings that are missing in the table, then print the summary."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, type=Path)
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--pairings", type=int, default=20)
    parser.add_argument("--first", type=int, default=1, help="first seed; several processes may divide the seeds")
    parser.add_argument("--table", type=Path, default=ROOT / "benchmarks/pairings.tsv")
    arguments = parser.parse_args()
    logging.getLogger("lightning").setLevel(logging.ERROR)

    config = yaml.safe_load(arguments.config.read_text())
    check_config(config)
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
