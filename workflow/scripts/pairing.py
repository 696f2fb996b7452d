from contigwas.runtime.job import job
from contigwas.simulate.pairing import pair

settings = snakemake.params.settings
with job(snakemake.log[0]):
    pair(
        settings["array"],
        settings["photographs"],
        settings["folder"],
        settings.get("planted"),
        settings["autosomes"],
        settings["seed"],
    )
