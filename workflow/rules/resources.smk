# Resources that a job asks a scheduler for. They grow with the input, and a failed job asks for more when it is retried.

from math import ceil

from contigwas.runtime.training_inputs import ready_bytes


def grows(base: float, **per_megabyte: float) -> Callable:
    """Memory in MB, or minutes: `base`, plus an amount for every MB of the named inputs, times the number of the attempt.

    Jobs of a group (profiles/slurm) must not name a file that is written inside the group, because it does not exist when
    Snakemake sizes the group. The figures are rounded up from jobs of 200,000 samples.
    """

    def needed(wildcards, input, attempt) -> int:
        more = sum(amount * megabytes(input.get(name, [])) for name, amount in per_megabyte.items())
        return ceil((base + more) * attempt)

    return needed


def megabytes(paths: str | list[str]) -> float:
    """The size of some files; for a .ready file the size of the files that it lists.

    A missing file raises FileNotFoundError: Snakemake then asks again once the file exists.
    """
    listed = [paths] if isinstance(paths, str) else paths
    return sum(size(path) for path in listed) / 1e6


def size(path: str) -> int:
    return ready_bytes(path) if path.endswith(".ready") else os.stat(path).st_size
