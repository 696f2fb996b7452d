"""The block `simulate` of the config as frozen dataclasses, and what makes no sense in it."""

from collections.abc import Mapping
from dataclasses import dataclass

from contigwas.runtime.errors import UserError

LATENTS = ("disc", "cup", "calibre", "tortuosity", "pigment", "lesions")
BURDEN_LATENTS = ("tortuosity", "lesions")  # each has one rare-variant gene
PIGMENT = LATENTS.index("pigment")
POPULATION_SHARE = 0.75  # of the larger of the two populations
PROGRAMMES = (
    "proliferation",
    "invasion",
    "oedema",
    "necrosis",
    "atrophy",
    "angiogenesis",
)  # one a latent, in their order
GROUPS = ("exudates", "drusen", "scars", "haemorrhages")  # kinds of marks, the first `count` of them
LEAST_GENES = 10  # of the expression, for each programme
LARGEST_VOLUME = 96  # voxels a side
STRIDE = 10  # the demo's snps.stride: truth.tsv says which causal variants stand on that grid


@dataclass(frozen=True)
class Scores:
    """How many polygenic scores there are, and what share of a relevant score its latent does not explain."""

    relevant: int
    irrelevant: int
    noise: float


@dataclass(frozen=True)
class Lesions:
    """What decides expression, brains and tumours; `size` is in pixels or voxels a side, `unusable` in files.

    `driven` is the share of a programme's variance that its latent explains, `contrast` the mean difference in
    brightness between tumour and tissue (black to white is 1), `distractors` the share of samples with a lookalike.
    """

    dimensions: int
    genes: int
    driven: float
    contrast: float
    distractors: float
    size: int
    nuisance: float
    missing_rate: float
    unusable: int

    def __post_init__(self) -> None:
        if self.genes < LEAST_GENES * len(PROGRAMMES):
            raise UserError(
                f"config: simulate.lesions.genes is {self.genes}, but {len(PROGRAMMES)} programmes need "
                f"{LEAST_GENES} genes each: raise it to {LEAST_GENES * len(PROGRAMMES)} or more"
            )
        if self.dimensions == 3 and self.size > LARGEST_VOLUME:
            raise UserError(
                f"config: simulate.image_size is {self.size}, but simulated volumes (simulate.lesions.dimensions: 3) "
                f"have {LARGEST_VOLUME} voxels a side at most: lower it, 32 is enough to try things"
            )

    @classmethod
    def of(cls, settings: Mapping) -> "Lesions":
        """From the config block `simulate`, which has a block `lesions` (defaults filled in)."""
        return cls(
            **settings["lesions"],
            size=settings["image_size"],
            nuisance=settings["nuisance"],
            missing_rate=settings["missing_rate"],
            unusable=settings["unusable_images"],
        )


@dataclass(frozen=True)
class Simulation:
    """What decides a cohort's genotypes and traits."""

    n_samples: int
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
    missing_rate: float

    def __post_init__(self) -> None:
        explained = self.polygenic_h2 + sum(self.planted_q2) + self.burden_q2
        if explained > 0.95:
            raise UserError(
                f"config: simulate: polygenic_h2, planted_q2 and burden_q2 add up to {explained:.2f} of a trait's "
                "variance: keep their sum at 0.95 or below"
            )
        if 2 * self.related_pairs > self.n_samples - 2:
            raise UserError(
                f"config: simulate.related_pairs is {self.related_pairs}, but {self.n_samples} samples hold at most "
                f"{self.n_samples // 2 - 1} pairs: lower it or raise simulate.n_samples"
            )

    @classmethod
    def of(cls, settings: Mapping) -> "Simulation":
        """From the config block (defaults filled in); keys that belong to the images are checked and passed over."""
        if "lesions" in settings:
            Lesions.of(settings)
            if "groups" in settings:
                raise UserError(
                    "config: simulate has lesions and groups, but groups are of photographs of the eye, which lesions "
                    "replace: drop one of the two"
                )
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
