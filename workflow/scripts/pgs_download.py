from contigwas.pgs.download import download_score
from contigwas.runtime.job import job

settings = snakemake.params.settings
with job(snakemake.log[0]):
    download_score(
        snakemake.wildcards.score,
        settings["genotypes"]["build"],
        settings["pgs"]["catalog"],
        snakemake.output.score,
    )
