from contigwas.pretrain.train import train
from contigwas.runtime.job import job
from contigwas.runtime.training_inputs import require_files

settings, resources, read = snakemake.params.settings, snakemake.resources, snakemake.params.read
run = f"{snakemake.wildcards.model}/fold{snakemake.wildcards.fold}"
with job(snakemake.log[0], settings["math_threads"]):
    require_files([read["cohort"], read["images_npy"], read["images_table"], *read["modalities"].values()])
    train(
        **read,
        settings={
            **settings["model"],
            **settings["samples"],
            "seed": settings["seed"],
            "math_threads": settings["math_threads"],
        },
        fold=int(snakemake.wildcards.fold),
        output_checkpoint=snakemake.output.checkpoint,
        output_history=snakemake.output.history,
        scratch=f"results/scratch/{run}",
        minutes=resources.save_minutes,
        devices=max(1, resources.get("gpu", 1)),
        tensorboard=f"results/logs/tensorboard/{run}" if resources.tensorboard else None,
        code=snakemake.params.code,
    )
