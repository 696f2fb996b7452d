from pathlib import Path

from contigwas.logs import job
from contigwas.report import write_report

read, params = snakemake.input, snakemake.params
kinds = ("phenotypes", "loci", "followup", "manhattan", "overview", "regional", "qq")
models = {
    name: {**dict(zip(kinds, files, strict=True)), "training": None, "decoded": None}
    for name, *files in zip(params.models, *(read[kind] for kind in kinds), strict=True)
}
for name, path in zip(params.trained, read.training, strict=True):
    models[name]["training"] = path
for name, path in zip(params.drawn, read.decoded, strict=True):
    models[name]["decoded"] = path
paths = iter(read.downstream)
tasks = [
    {"model": model, "task": task, "kind": kind, "tsv": next(paths), "png": next(paths)}
    for model, task, kind in params.tasks
]
with job(snakemake.log[0]):
    write_report(
        candidates=read.candidates,
        cohort=read.cohort,
        variants=dict(zip(params.chromosomes, read.variants, strict=True)),
        genotypes={name: read[name] for name in ("call_rate", "hwe", "pcs", "kinship")},
        images=read.images[0] if read.images else None,
        matching={"table": read.matching[0], "png": read.matches[0]} if read.matching else None,
        models=models,
        evaluation={"models": read.evaluation, "png": read.figure},
        tasks=tasks,
        captions={Path(path).stem: path for path in read.captions},
        settings=params.settings,
        output=snakemake.output.page,
    )
