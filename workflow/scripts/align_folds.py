from contigwas.align import align
from contigwas.runtime.job import job

settings = snakemake.params.settings
with job(snakemake.log[0], settings["math_threads"]):
    align(
        snakemake.input.embeddings,
        snakemake.output.embeddings,
        snakemake.output.alignment,
        genetics=bool(settings["model"].get("modalities")),
        output_alignment=snakemake.output.frozen,
    )
