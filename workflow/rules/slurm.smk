# Checks of the SLURM profile before the first job is submitted.

from snakemake_interface_executor_plugins.settings import ExecMode

from contigwas.runtime import slurm as contigwas_slurm


def named_partitions() -> dict[str, str]:
    """The SLURM partitions that the profile or the command line names, by the place where they are named."""
    chosen = workflow.resource_settings
    places = {"default-resources": chosen.default_resources or {}, **chosen.overwrite_resources}
    return {
        place: str(resources["slurm_partition"].raw)
        for place, resources in places.items()
        if "slurm_partition" in resources
    }


if workflow.exec_mode == ExecMode.DEFAULT:  # every job parses this file again
    exit_on_user_error(contigwas_slurm.check_partitions, named_partitions())
