from contigwas.logs import job
from contigwas.withdrawal import purge

read = snakemake.input
with job(snakemake.log[0]):
    purge(
        "results",
        read.withdrawn,
        read.candidates,
        [
            read.candidates,
            *read.made,
            *read.modalities,
            *read.embeddings,
            *read.plots,
            *read.downstream,
            *read.explanations,
        ],
        snakemake.output.searched,
    )
