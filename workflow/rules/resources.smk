# What a job asks a scheduler for. It grows with the input, and a job that ran over its limit gets as much again.

from math import ceil


def grows(base: float, **per_megabyte: float) -> Callable:
    """Megabytes of memory, or minutes: `base`, and so many for every megabyte of the inputs that are named.

    Attempt after attempt it is the first amount times 1, 2, 3. The figures are rounded up from jobs of 200,000 people.
    """

    def needed(wildcards, input, attempt) -> int:
        more = sum(amount * megabytes(input.get(name, [])) for name, amount in per_megabyte.items())
        return ceil((base + more) * attempt)

    return needed


def megabytes(paths: str | list[str]) -> float:
    """The size of some files. One that is not made yet raises FileNotFoundError: Snakemake then asks again."""
    return (
        sum(os.stat(path).st_size for path in ([paths] if isinstance(paths, str) else paths)) / 1e6
    )
