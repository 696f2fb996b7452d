"""The config: checked against its schema, defaults filled in, and read by the rules."""

from contigwas.config.check import check_config
from contigwas.config.input_files import check_files, missing_files, named_files
from contigwas.config.settings import (
    MODALITIES,
    OMNIBUS,
    autosomes,
    chromosomes,
    folds,
    found,
    job_settings,
    loco_files,
    made,
    matching,
    networks,
    ordered,
    replicated,
    require_replicated,
    withdrawn,
)

__all__ = [
    "MODALITIES",
    "OMNIBUS",
    "autosomes",
    "check_config",
    "check_files",
    "chromosomes",
    "folds",
    "found",
    "job_settings",
    "loco_files",
    "made",
    "matching",
    "missing_files",
    "named_files",
    "networks",
    "ordered",
    "replicated",
    "require_replicated",
    "withdrawn",
]
