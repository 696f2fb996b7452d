"""Run all checks and print the table of their findings."""

import copy
from collections.abc import Mapping

from contigwas.config.input_files import missing_files
from contigwas.preflight import (
    burden,
    covariates,
    downstream,
    explain,
    expression,
    external,
    genotypes,
    images,
    machine,
    pgs,
    plan,
    samples,
)
from contigwas.preflight.context import PreflightContext
from contigwas.preflight.findings import ERROR
from contigwas.preflight.machine import Plan
from contigwas.preflight.table import render

# in this order: later checks use the samples and counts of earlier ones
CHECKS = (
    genotypes,
    samples,
    images,
    pgs,
    burden,
    covariates,
    expression,
    external,
    downstream,
    explain,
    plan,
)


def examine(config: Mapping, plan_of_run: Plan) -> PreflightContext:
    """Run all checks on `config`, which has passed its schema, and return their findings within the context."""
    context = PreflightContext(copy.deepcopy(dict(config)))
    for key, message in missing_files(context.config):
        context.findings.error(key, message.removeprefix("config: "))
    for check in CHECKS:
        check.check(context)
    samples.report_overlaps(context)
    machine.check(context, plan_of_run)
    return context


def preflight(config: Mapping, plan_of_run: Plan, width: int) -> int:
    """Print the table of all findings and return the exit status: 1 if there is an error, else 0."""
    context = examine(config, plan_of_run)
    print(render(context.findings.found, width), flush=True)
    return int(bool(context.findings.of(ERROR)))
