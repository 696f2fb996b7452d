from contigwas.downstream.labels.run import predict
from contigwas.runtime.job import job

read, settings = snakemake.input, snakemake.params.settings
with job(snakemake.log[0], settings["math_threads"]):
    predict(
        read.samples,
        read.target,
        read.embeddings,
        read.checkpoints,
        (read.images[0], read.table[0]) if read.images else None,
        settings,
        int(snakemake.wildcards.seed),
        snakemake.output.predictions,
        snakemake.output.skipped,
    )
