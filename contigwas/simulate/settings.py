"""The block `simulate` of the config as frozen dataclasses, and what makes no sense in it."""

from collections.abc import Mapping
from dataclasses import dataclass

from contigwas.errors import UserError

LATENTS = ("disc", "cup", "calibre", "tortuosity", "pigment", "lesions")
BURDEN_LATENTS = ("tortuosity", "lesions")  # each has one rare-variant gene
PIGMENT = LATENTS.index("pigment")
POPULATION_SHARE = 0.75  # of the larger of the two populations
STRIDE = 10  # the demo's snps.stride: truth.tsv says which causal variants stand on that grid


@dataclass(frozen=True)
class Scores:
    """How many polygenic scores there are, and what share of a relevant score its latent does not explain."""

    relevant: int
    irrelevant: int
    noise: float


@dataclass(frozen=True)
class Simulation:
    """What decides a cohort's genotypes and traits."""

    people: int
    chromosomes: int
    megabases: float
    related_pairs: int
    polygenic_snps: int
    polygenic_h2: float
    planted_q2: tuple[float, ...]
    burden_q2: float
    ancestry_shift: float
    pgs: Scores
    missing_calls: float
    lacking: float

    def __post_init__(self) -> None:
        explained = self.polygenic_h2 + sum(self.planted_q2) + self.burden_q2
        if explained > 0.95:
            raise UserError(
                f"config: simulate: polygenic_h2, planted_q2 and burden_q2 add up to {explained:.2f} of a trait's "
                "variance: keep their sum at 0.95 or below"
            )
        if 2 * self.related_pairs > self.people - 2:
            raise UserError(
                f"config: simulate.related_pairs is {self.related_pairs}, but {self.people} people hold at most "
                f"{self.people // 2 - 1} pairs: lower it or raise simulate.people"
            )

    @classmethod
    def of(cls, settings: Mapping) -> "Simulation":
        """From the config block (defaults filled in); keys that belong to the images are passed over."""
        names = [name for name in cls.__dataclass_fields__ if name not in ("planted_q2", "pgs")]
        return cls(
            **{name: settings[name] for name in names},
            planted_q2=tuple(settings["planted_q2"]),
            pgs=Scores(**settings["pgs"]),
        )

    @property
    def length(self) -> int:
        """Base pairs of one chromosome."""
        return round(self.megabases * 1e6)
