"""The state that the checks share: the config, the findings, and the samples and variants of the inputs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from contigwas.config import settings as config_settings
from contigwas.preflight.findings import Findings


@dataclass(frozen=True)
class Variants:
    """The variants of one source of genotypes.

    Attributes:
        table: DataFrame `chrom id pos effect_allele other_allele` of all variants, or of a part of them.
        complete: whether `table` has all variants.
        counts: number of variants by analysed chromosome; under the key `all` for a file of all chromosomes of which
            only a part was read.
    """

    table: pd.DataFrame
    complete: bool
    counts: Mapping[str, int]

    @property
    def total(self) -> int:
        """The number of variants."""
        return sum(self.counts.values())


@dataclass
class PreflightContext:
    """A config that has passed its schema, and what the checks have found in its inputs.

    Attributes:
        samples: IIDs by source (genotypes, keep, images, …). Withdrawn participants are still included.
        variants: variants by the config key that names their genotypes.
        counts: numbers for the estimate of the cost, such as images, scores, genes, and features by model.
    """

    config: Mapping
    findings: Findings = field(default_factory=Findings)
    samples: dict[str, pd.Index] = field(default_factory=dict)
    variants: dict[str, Variants] = field(default_factory=dict)
    counts: dict[str, float] = field(default_factory=dict)
    _cached: dict[tuple[bool, ...], pd.Index | None] = field(default_factory=dict, repr=False)

    def has_file(self, key: str, path: str | None) -> bool:
        """Whether a file of the config exists. If a rule of the run creates it, that is added as a fact.

        A missing file is not reported here, but by `missing_files`.
        """
        if not path:
            return False
        if Path(path).exists():
            return True
        if config_settings.made(self.config, path):
            self.findings.fact(key, f"created by the run: {path}")
        return False

    @property
    def analysed(self) -> pd.Index | None:
        """Samples with genotypes that are in samples.keep and not withdrawn; None if the genotypes are unknown."""
        return self._compute_once("genotypes", "keep", "withdrawn", compute=self._analysed)

    @property
    def imaged(self) -> pd.Index | None:
        """Analysed samples with an image; None if the genotypes or the images are unknown."""
        return self._compute_once("genotypes", "keep", "withdrawn", "images", compute=self._imaged)

    def _compute_once(self, *sources: str, compute: Callable) -> pd.Index | None:
        """The result of `compute`, cached until another of its sources is read: 500,000 IDs take long to compare."""
        present = tuple(source in self.samples for source in sources)
        if present not in self._cached:
            self._cached[present] = compute()
        return self._cached[present]

    def _analysed(self) -> pd.Index | None:
        if "genotypes" not in self.samples:
            return None
        samples = self.samples["genotypes"]
        if "keep" in self.samples:
            samples = samples[samples.isin(self.samples["keep"])]
        if "withdrawn" in self.samples:
            samples = samples[~samples.isin(self.samples["withdrawn"])]
        return samples

    def _imaged(self) -> pd.Index | None:
        analysed = self.analysed
        if analysed is None or "images" not in self.samples:
            return None
        return analysed[analysed.isin(self.samples["images"])]
