from contigwas.pgs.download import download_score
from contigwas.runtime.job import job

settings = snakemake.params.settings
with job(snakemake.log[0]):
    download_score(snakemake.wildcards.score, settings["build"], settings["catalog"], snakemake.output.score)
