from contigwas.logs import job
from contigwas.pretrain.train import train
from contigwas.sources import sources

settings, resources = snakemake.params.settings, snakemake.resources
run = f"{snakemake.wildcards.model}/fold{snakemake.wildcards.fold}"
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
        scratch=f"results/scratch/{run}",
        minutes=resources.save_minutes,
        devices=max(1, resources.get("gpu", 1)),
        tensorboard=f"results/logs/tensorboard/{run}" if resources.tensorboard else None,
        code=sources("pretrain"),
    )
