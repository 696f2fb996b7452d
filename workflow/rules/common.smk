import logging
import os
import shlex
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

from snakemake.logging import logger

from contigwas.config import check as config_check
from contigwas.config import downstream as config_downstream
from contigwas.config import explain as config_explain
from contigwas.config import input_files as config_input_files
from contigwas.config import models as config_models
from contigwas.config import settings as config_settings
from contigwas.genotypes.files import genotype_files
from contigwas.images import listed_files
from contigwas.runtime import code_digest, disk, memory
from contigwas.runtime.errors import UserError

# Snakemake does not quote it in shell commands: in a folder with a space or a quote no job would run.
if Path(sys.executable).exists():
    sys.executable = shlex.quote(sys.executable)
# When the disk is full, a line of .snakemake/log cannot be written: that needs no traceback.
logging.raiseExceptions = False


def exit_on_user_error(function: Callable, *arguments, **keywords):
    """Call a library function. If it raises a UserError, log its sentence and end Snakemake."""
    try:
        return function(*arguments, **keywords)
    except UserError as error:
        logger.error(str(error))
        sys.exit(1)  # a WorkflowError raised in an input function would come with a traceback


exit_on_user_error(config_check.check_config, config)
# Preflight lists missing and unreadable files itself. Snakemake knows its targets only after parsing the Snakefile.
PREFLIGHT = "preflight" in sys.argv
if not PREFLIGHT:
    exit_on_user_error(config_input_files.check_files, config)
if workflow.is_main_process:
    exit_on_user_error(disk.require_writable, ["."])  # before Snakemake fails to write .snakemake/


# Not checked earlier: a dry run needs no space in results/.
onstart:
    exit_on_user_error(disk.require_writable, [] if PREFLIGHT else ["results"])


onerror:
    killed = memory.killed(log)
    if killed:
        logger.error(killed)


CHROMOSOMES = config_settings.chromosomes(config)
AUTOSOMES = config_settings.autosomes(config)
MODELS = [*config["models"]]
TRAINED = [name for name, recipe in config["models"].items() if "method" in recipe]
EXTERNAL_EMBEDDINGS = [name for name, recipe in config["models"].items() if "embeddings" in recipe]
APPLIED = [name for name, recipe in config["models"].items() if "apply" in recipe]
WITH_EMBEDDINGS = [*TRAINED, *EXTERNAL_EMBEDDINGS, *APPLIED]
EXTERNAL_PHENOTYPES = [name for name in MODELS if name not in WITH_EMBEDDINGS]
REPLICATED = config_settings.replicated(config)


wildcard_constraints:
    chrom="|".join(CHROMOSOMES),
    model="|".join(MODELS),
    fold=r"\d+",


def one_of(names: list[str]) -> str:
    """The regular expression of a wildcard that is one of the names. Without names it matches nothing."""
    return "|".join(names) or "(?!)"


def config_subset(*names: str) -> Callable:
    """The part of the config that a job reads, as its param `settings`: see `contigwas.config.settings.job_settings`.

    It is one param, because Snakemake records the values of params without their names: two params that exchange their
    values would be no change.
    """

    def subset(wildcards) -> dict:
        given = dict(wildcards.items())
        return exit_on_user_error(
            config_settings.job_settings,
            config,
            *names,
            model=given.get("model"),
            task=given.get("task"),
        )

    return subset


def block(name: str) -> dict:
    """A block of the config that the target needs. If it is missing, Snakemake ends with one sentence."""
    return exit_on_user_error(config_settings.job_settings, config, name)[name]


def optional(path: str | None) -> list[str]:
    """A file that the config may name, as a list of one path or none."""
    return [path] if path else []


def content_digest(path: str | None) -> str | None:
    """A digest of a small file, as a param: the job reruns when the content changes, whatever the file's time."""
    return code_digest.file_digest(Path(path)) if path and Path(path).is_file() else None


def code_of(script: str) -> str:
    """A digest of the code that a job runs, as a param: its script and the library files that the script imports.

    Snakemake itself compares the modification times of scripts, which change in a new clone; the profiles disable that.
    """
    return code_digest.code_digest(Path(workflow.basedir, "workflow", "scripts", f"{script}.py"))


def folds(model: str) -> range:
    """The folds of a model that is trained here."""
    return range(config_settings.folds(config, model))
