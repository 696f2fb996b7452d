import shutil
import sys

from contigwas.preflight.machine import Plan
from contigwas.preflight.preflight import preflight
from contigwas.runtime.job import job

with job(snakemake.log[0]):
    how = Plan(gpus=snakemake.params.gpus, local=snakemake.params.local)
    status = preflight(snakemake.params.settings, how, width=shutil.get_terminal_size((100, 24)).columns)
sys.exit(status)
