from pathlib import Path

from contigwas.report import write_report
from contigwas.runtime.job import job

read, params = snakemake.input, snakemake.params
kinds = ("phenotypes", "loci", "followup", "points", "manhattan", "overview", "regional", "qq")
models = {
    name: {**dict(zip(kinds, files, strict=True)), "training": None, "decoded": None, "map": None}
    for name, *files in zip(params.models, *(read[kind] for kind in kinds), strict=True)
}
for kind, names in (("training", params.trained), ("decoded", params.drawn), ("map", params.mapped)):
    for name, path in zip(names, read[kind], strict=True):
        models[name][kind] = path
paths = iter(read.downstream)
tasks = [
    {"model": model, "task": task, "kind": kind, "tsv": next(paths), "png": next(paths)}
    for model, task, kind in params.tasks
]
explained = {name: {} for name in params.explained}
for path in read.explanations:
    explained[Path(path).parts[-3]][Path(path).stem] = path
with job(snakemake.log[0]):
    write_report(
        samples={"candidates": read.candidates, "cohort": read.cohort},
        variants=dict(zip(params.chromosomes, read.variants, strict=True)),
        genotypes={name: read[name] for name in ("call_rate", "hwe", "pcs", "kinship")},
        images=read.images[0] if read.images else None,
        matching={"table": read.matching[0], "png": read.matches[0]} if read.matching else None,
        burden=read.burden[0] if read.burden else None,
        models=models,
        evaluation={"tables": read.evaluation, "png": read.figure},
        explained=explained,
        tasks=tasks,
        captions=params.captions,
        config=params.config,
        output=snakemake.output.page,
    )
