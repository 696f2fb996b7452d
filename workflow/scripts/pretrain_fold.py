from contigwas.logs import job
from contigwas.pretrain.train import train

settings = snakemake.params.settings
with job(snakemake.log[0], settings["math_threads"]):
    train(
        cohort=snakemake.input.cohort,
        images_npy=snakemake.input.images,
        images_table=snakemake.input.table,
        modalities=dict(zip(settings.get("modalities", []), snakemake.input.modalities, strict=True)),
        settings=settings,
        fold=int(snakemake.wildcards.fold),
        pcs=snakemake.input.pcs[0] if snakemake.input.pcs else None,
        output_checkpoint=snakemake.output.checkpoint,
        output_history=snakemake.output.history,
    )
