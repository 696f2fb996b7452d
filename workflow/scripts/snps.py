from contigwas.runtime.job import job
from contigwas.snps import write_snps

settings = snakemake.params.settings
with job(snakemake.log[0]):
    write_snps(
        settings["array"],
        dict(zip(settings["autosomes"], snakemake.input.variants, strict=True)),
        snakemake.input.cohort,
        {key: settings[key] for key in ("stride", "offset", "list", "pruned")},
        snakemake.output.snps,
        dict(zip(settings["autosomes"], snakemake.input.pruned, strict=True)) if settings["pruned"] else None,
    )
