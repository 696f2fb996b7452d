"""The exact test of Hardy-Weinberg equilibrium (Wigginton, Cutler & Abecasis 2005, doi:10.1086/429864)."""

import numpy as np
from scipy.special import gammaln

# Counts of heterozygotes whose probabilities differ by less than this are ties: the closed form's rounding error
# stays below it for up to a million samples.
TIE = 1e-7


def hwe_exact(het: np.ndarray, hom1: np.ndarray, hom2: np.ndarray, midp: bool = False) -> np.ndarray:
    """p of the exact test from genotype counts, one variant an element; 1 where nobody is called.

    Sums the probability of every number of heterozygotes that is no likelier than the one observed, given the allele
    counts. The probability has one mode, so those numbers are two tails: each is summed outwards from its inner end
    for all variants together. With `midp`, what is as likely as the observed counts half (Graffelman & Moreno 2013,
    doi:10.1515/sagmb-2012-0039): the test keeps its level where the exact one is conservative. Returns float64 of the
    broadcast shape.
    """
    het, hom1, hom2 = np.broadcast_arrays(*(np.asarray(counts, dtype=np.int64) for counts in (het, hom1, hom2)))
    if (het < 0).any() or (hom1 < 0).any() or (hom2 < 0).any():
        raise ValueError("genotype counts must not be negative")
    shape = het.shape
    counts, inverse = np.unique(np.stack([het, hom1, hom2]).reshape(3, -1), axis=1, return_inverse=True)
    observed, first, second = counts.astype(np.float64)
    rare = observed + 2 * np.minimum(first, second)
    common = observed + 2 * np.maximum(first, second)

    parity = rare % 2
    # Candidates are het = parity + 2 k, k = 0 … top.
    top = (rare - parity) / 2
    at = (observed - parity) / 2
    mode = _bisect(lambda k: _ratio(parity + 2 * k, rare, common) < 1, np.zeros_like(top), top)
    limit = _log_probability(observed, rare, common) + TIE

    def unlikely(k: np.ndarray) -> np.ndarray:
        return _log_probability(parity + 2 * k, rare, common) <= limit

    upper = np.where(at >= mode, at, _bisect(unlikely, mode, top + 1))
    lower = np.where(at <= mode, at, mode - _bisect(lambda back: unlikely(mode - back), np.zeros_like(top), mode + 1))
    p = _tail(parity + 2 * lower, rare, common, -1) + _tail(parity + 2 * upper, rare, common, 1)
    p = np.where(lower == upper, 1.0, np.minimum(p, 1.0))
    if midp:
        seen = _log_probability(observed, rare, common)
        ties = np.exp(seen)
        # of one mode, only the inner end of the other tail can be as likely, or a neighbour of the mode itself
        for other in (np.where(at > mode, lower, at - 1), np.where(at < mode, upper, at + 1)):
            likely = _log_probability(parity + 2 * other, rare, common)
            ties += np.where(np.abs(likely - seen) <= TIE, np.exp(likely), 0.0)
        p -= ties / 2
    return p[inverse.reshape(-1)].reshape(shape)


def _log_probability(het: np.ndarray, rare: np.ndarray, common: np.ndarray) -> np.ndarray:
    """Log probability of `het` heterozygotes given the allele counts; -inf where impossible."""
    samples = (rare + common) / 2
    one, other = (rare - het) / 2, (common - het) / 2
    possible = (het >= 0) & (one >= 0)
    het, one, other = (np.where(possible, value, 0.0) for value in (het, one, other))
    ways = gammaln(samples + 1) - gammaln(het + 1) - gammaln(one + 1) - gammaln(other + 1) + het * np.log(2.0)
    total = gammaln(rare + common + 1) - gammaln(rare + 1) - gammaln(common + 1)
    return np.where(possible, ways - total, -np.inf)


def _ratio(het: np.ndarray, rare: np.ndarray, common: np.ndarray) -> np.ndarray:
    """P(het + 2) / P(het)."""
    return (rare - het) * (common - het) / ((het + 2) * (het + 1))


def _bisect(holds, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """The first integer in [low, high) at which `holds` (false, then true) is true, else `high`; elementwise."""
    low, high = low.copy(), high.copy()
    while (low < high).any():
        middle = np.floor((low + high) / 2)
        open_ = low < high
        true = holds(middle)
        high = np.where(open_ & true, middle, high)
        low = np.where(open_ & ~true, middle + 1, low)
    return low


def _tail(start: np.ndarray, rare: np.ndarray, common: np.ndarray, step: int) -> np.ndarray:
    """The sum of the probabilities from `start` outwards (`step` 1 upwards, -1 downwards)."""
    term = np.exp(_log_probability(start, rare, common))
    total = term.copy()
    live = np.flatnonzero(term > 0)
    het, rare, common, term = start[live], rare[live], common[live], term[live]
    while live.size:
        if step > 0:
            term = term * _ratio(het, rare, common)
        else:
            term = term * het * (het - 1) / ((rare - het + 2) * (common - het + 2))
        het = het + 2 * step
        total[live] += term
        more = term > 1e-17 * total[live]
        live, het, rare, common, term = live[more], het[more], rare[more], common[more], term[more]
    return total
