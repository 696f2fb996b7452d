"""Chromosome names: normalise the spelling of input files, and check which chromosomes are analysed."""

from contigwas.runtime.errors import UserError

AUTOSOMES = frozenset(str(number) for number in range(1, 23))
PLINK_CODES = {"23": "X", "24": "Y", "25": "XY", "26": "MT", "M": "MT"}  # PLINK's numbers of human chromosomes
PSEUDO_AUTOSOMAL = frozenset({"XY", "PAR1", "PAR2"})  # chromosome codes that plink2 --split-par writes


def chromosome(name: object) -> str:
    """Return the plain name of a chromosome. PLINK's codes 23 to 26 are X, Y, XY (pseudo-autosomal) and MT.

    >>> [chromosome(name) for name in (1, "01", "chr1", "chrX", 23, "M")]
    ['1', '1', '1', 'X', 'X', 'MT']
    """
    text = str(name).strip()
    text = text[3:] if text[:3].lower() == "chr" else text
    text = str(int(text)) if text.isdecimal() else text.upper()
    return PLINK_CODES.get(text, text)


def require_autosome(name: object) -> str:
    """Return the plain name of an autosome. Raises UserError for anything else."""
    plain = chromosome(name)
    if plain not in AUTOSOMES:
        raise UserError(f"chromosome {name} is not an autosome. Keep only 1 to 22.")
    return plain


def require_analysed(name: object) -> str:
    """Return the plain name of an autosome or X. Raises UserError with the reason for anything else."""
    plain = chromosome(name)
    if plain in AUTOSOMES or plain == "X":
        return plain
    if plain in ("Y", "MT"):
        reason = "is haploid and is not analysed"
    elif plain in PSEUDO_AUTOSOMAL:
        reason = "is pseudo-autosomal and is analysed only under the name X (plink2 --merge-par)"
    else:
        reason = "is neither an autosome nor X"
    raise UserError(f"chromosome {name} {reason}. Keep only 1 to 22 and X in genotypes.chromosomes.")
