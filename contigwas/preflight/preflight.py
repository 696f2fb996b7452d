"""All checks, one table, and whether a run may begin."""

import copy
from collections.abc import Mapping

from contigwas.config.input_files import missing_files
from contigwas.preflight import (
    burden,
    covariates,
    downstream,
    explain,
    expression,
    genotypes,
    images,
    machine,
    plan,
)
from contigwas.preflight import (
    external as external,
)
from contigwas.preflight import (
    pgs as scores,
)
from contigwas.preflight import (
    samples as samples,
)
from contigwas.preflight.context import Study
from contigwas.preflight.findings import ERROR
from contigwas.preflight.machine import Plan
from contigwas.preflight.table import render

CHECKS = (
    genotypes,
    samples,
    images,
    scores,
    burden,
    covariates,
    expression,
    external,
    downstream,
    explain,
    plan,
)  # later ones use what earlier ones found


def examine(config: Mapping, how: Plan) -> Study:
    """Look at every input of `config` (checked by its schema) and at the machine; the findings are in the study."""
    study = Study(copy.deepcopy(dict(config)))
    for key, sentence in missing_files(study.config):
        study.findings.error(key, sentence.removeprefix("config: "))
    for check in CHECKS:
        check.check(study)
    samples.overlaps(study)
    machine.check(study, how)
    return study


def preflight(config: Mapping, how: Plan, width: int) -> int:
    """Print the table of all findings; 1 where there is an error, else 0: the exit status."""
    study = examine(config, how)
    print(render(study.findings.found, width), flush=True)
    return int(bool(study.findings.of(ERROR)))
