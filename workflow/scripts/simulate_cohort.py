from contigwas.runtime.job import job
from contigwas.simulate.cohort import simulate_cohort

settings = snakemake.params.settings
with job(snakemake.log[0]):
    simulate_cohort(
        settings["simulate"]["folder"],
        settings["simulate"],
        settings["genotypes"]["build"],
        settings["seed"],
    )
