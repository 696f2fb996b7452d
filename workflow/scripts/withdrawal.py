from contigwas.privacy.withdrawal import purge
from contigwas.runtime.job import job

read = snakemake.input
with job(snakemake.log[0]):
    purge(
        "results",
        read.withdrawn,
        read.candidates,
        [
            read.candidates,
            *read.files_with_ids,
            *read.modalities,
            *read.embeddings,
            *read.plots,
            *read.downstream,
            *read.explanations,
        ],
        snakemake.output.searched,
    )
