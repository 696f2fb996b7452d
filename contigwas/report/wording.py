"""Helpers for the sentences of the page."""

from collections.abc import Iterable


def listed(names: Iterable[str]) -> str:
    """Return names as a list in a sentence.

    >>> listed(["a", "b", "c"]), listed(["a"]), listed([])
    ('a, b and c', 'a', '')
    """
    names = list(names)
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def plural(count: int, word: str, many: str | None = None) -> str:
    """Return a count with its noun.

    >>> plural(1, "locus", "loci"), plural(2, "locus", "loci"), plural(1200, "model")
    ('1 locus', '2 loci', '1,200 models')
    """
    return f"{count:,} {word if count == 1 else many or f'{word}s'}"


def percent(share: float) -> str:
    """Return a share in percent.

    >>> percent(0.75)
    '75 %'
    """
    return f"{100 * share:g} %"
