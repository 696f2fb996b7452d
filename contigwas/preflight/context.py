"""What the checks share: the config, what they found, and what they have learnt about the inputs so far."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from contigwas.config import settings as config_settings
from contigwas.preflight.findings import Findings


@dataclass(frozen=True)
class Variants:
    """The variants of one source of genotypes.

    table: DataFrame `chrom id pos effect_allele other_allele`, all of them or a sample; whole: whether it is all;
    counts: how many each analysed chromosome has, of a sampled file of all chromosomes under the name `all`.
    """

    table: pd.DataFrame
    whole: bool
    counts: Mapping[str, int]

    @property
    def total(self) -> int:
        """How many variants there are."""
        return sum(self.counts.values())


@dataclass
class Study:
    """A config that has passed its schema, and what is known of its inputs.

    Attributes:
        samples: IIDs by source: genotypes, keep, images, …; withdrawn samples are taken out of none.
        variants: by the key of the config that names the genotypes.
        counts: whatever an estimate needs: images, scores, genes, features by model.
    """

    config: Mapping
    findings: Findings = field(default_factory=Findings)
    samples: dict[str, pd.Index] = field(default_factory=dict)
    variants: dict[str, Variants] = field(default_factory=dict)
    counts: dict[str, float] = field(default_factory=dict)
    _made: dict[tuple[bool, ...], pd.Index | None] = field(default_factory=dict, repr=False)

    def there(self, key: str, path: str | None) -> bool:
        """Whether a file of the config can be looked at; tells of one that the run makes, not of missing ones."""
        if not path:
            return False
        if Path(path).exists():
            return True
        if config_settings.made(self.config, path):
            self.findings.fact(key, f"made by the run: {path}")
        return False

    @property
    def analysed(self) -> pd.Index | None:
        """Who has genotypes, is in samples.keep and has not withdrawn; None where the genotypes are not known."""
        return self._once("genotypes", "keep", "withdrawn", make=self._analysed)

    @property
    def imaged(self) -> pd.Index | None:
        """Those of the analysed who have an image; None where either is not known."""
        return self._once("genotypes", "keep", "withdrawn", "images", make=self._imaged)

    def _once(self, *sources: str, make: Callable) -> pd.Index | None:
        """What `make` gives, made again only where one of its sources has become known: 500,000 IDs take long."""
        known = tuple(source in self.samples for source in sources)
        if known not in self._made:
            self._made[known] = make()
        return self._made[known]

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
