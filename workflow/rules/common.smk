import logging
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

from snakemake.logging import logger

from contigwas import config as contigwas_config
from contigwas import disk as contigwas_disk
from contigwas import explained as contigwas_explained
from contigwas import memory as contigwas_memory
from contigwas import recipes as contigwas_recipes
from contigwas import sources as contigwas_sources
from contigwas import tasks as contigwas_tasks
from contigwas.errors import UserError

# Snakemake puts it into shell commands as it is: in a folder with a space or a quote nothing would run
if Path(sys.executable).exists():
    sys.executable = shlex.quote(sys.executable)
# a line of .snakemake/log that has no room on the disk needs no traceback
logging.raiseExceptions = False


def told(function: Callable, *arguments, **keywords):
    """Call a library function; its one-sentence errors end Snakemake with that sentence."""
    try:
        return function(*arguments, **keywords)
    except UserError as error:
        logger.error(str(error))
        sys.exit(1)  # a WorkflowError raised in an input function would come with a traceback


told(contigwas_config.check, config)
# Preflight itself lists what is missing or closed. Snakemake knows its targets only after the Snakefile is parsed.
PREFLIGHT = "preflight" in sys.argv
if not PREFLIGHT:
    told(contigwas_config.check_files, config)
if workflow.is_main_process:
    told(contigwas_disk.require_writable, ["."])  # .snakemake/, before Snakemake fails there


# not earlier: a dry run needs no room in results/
onstart:
    told(contigwas_disk.require_writable, [] if PREFLIGHT else ["results"])


onerror:
    killed = contigwas_memory.killed(log)
    if killed:
        logger.error(killed)


CHROMOSOMES = contigwas_config.chromosomes(config)
AUTOSOMES = contigwas_config.autosomes(config)
RECIPES = [name for name, recipe in config["models"].items() if "method" in recipe]
EMBEDDED = [name for name, recipe in config["models"].items() if "embeddings" in recipe]
APPLIED = [name for name, recipe in config["models"].items() if "apply" in recipe]
BROUGHT = [name for name in config["models"] if name not in {*RECIPES, *EMBEDDED, *APPLIED}]
MODELS = [*config["models"]]
REPLICATED = contigwas_config.replicated(config)


wildcard_constraints:
    chrom="|".join(CHROMOSOMES),
    model="|".join(MODELS),
    fold=r"\d+",


def one_of(names: list[str]) -> str:
    """A wildcard's regular expression: one of the names, or nothing at all."""
    return "|".join(names) or "(?!)"


def stage(*names: str) -> Callable:
    """The settings of a job, as its one param: blocks, single keys (gwas.covariates, seed), or the `model`."""

    def chosen(wildcards) -> dict:
        model = dict(wildcards.items()).get("model")
        return told(contigwas_config.settings, config, *names, model=model)

    chosen.names = names
    return chosen


def block(name: str) -> dict:
    """A block of the config that a target needs; its absence is told in one sentence."""
    return told(contigwas_config.settings, config, name)


def optional(path: str | None) -> list[str]:
    """A file that the config may name, as a list of one or none."""
    return [path] if path else []


def content(path: str | None) -> str | None:
    """A digest of a small file, as a param: it counts whatever its time says. None where there is none."""
    return contigwas_sources.content(Path(path)) if path and Path(path).is_file() else None


def library(*modules: str, script: str) -> str:
    """A digest of the code that a job runs (library files and its script), as a param: editing it reruns the job.

    Snakemake itself would go by the times of scripts, which a new clone changes: profiles/ leave that out.
    """
    adapter = Path(workflow.basedir, "workflow", "scripts", f"{script}.py")
    return contigwas_sources.digest(*modules, script=adapter)


def folds(model: str) -> range:
    """The folds of a model that is trained here."""
    return range(contigwas_config.folds(config, model))
