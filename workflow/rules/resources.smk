# What a job asks a scheduler for. It grows with the input, and a job that ran over its limit gets as much again.

from math import ceil

from contigwas.runtime.training_inputs import ready_bytes


def grows(base: float, **per_megabyte: float) -> Callable:
    """Megabytes of memory, or minutes: `base`, and so many for every megabyte of the inputs that are named.

    Jobs of a group (profiles/slurm) must not name what is made inside the group: it is not there when the group is sized.
    Attempt after attempt it is the first amount times 1, 2, 3. The figures are rounded up from jobs of 200,000 people.
    """

    def needed(wildcards, input, attempt) -> int:
        more = sum(amount * megabytes(input.get(name, [])) for name, amount in per_megabyte.items())
        return ceil((base + more) * attempt)

    return needed


def megabytes(paths: str | list[str]) -> float:
    """The size of some files, or of those that a .ready file stands for. One that is not made yet raises
    FileNotFoundError: Snakemake then asks again.
    """
    listed = [paths] if isinstance(paths, str) else paths
    return sum(size(path) for path in listed) / 1e6


def size(path: str) -> int:
    return ready_bytes(path) if path.endswith(".ready") else os.stat(path).st_size
