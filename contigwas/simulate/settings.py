"""The config block `simulate` as frozen dataclasses, which validate it."""

from collections.abc import Mapping
from dataclasses import dataclass

from contigwas.runtime.errors import UserError

LATENTS = ("disc", "cup", "calibre", "tortuosity", "pigment", "lesions")
BURDEN_LATENTS = ("tortuosity", "lesions")  # each has one rare-variant gene
PIGMENT = LATENTS.index("pigment")
POPULATION_SHARE = 0.75  # share of the larger of the two populations
PROGRAMMES = (
    "proliferation",
    "invasion",
    "oedema",
    "necrosis",
    "atrophy",
    "angiogenesis",
)  # one per latent, in the same order
GROUPS = ("exudates", "drusen", "scars", "haemorrhages")  # kinds of marks; the first `count` are used
MIN_GENES = 10  # per programme
MAX_VOLUME_SIZE = 96  # voxels per side
STRIDE = 10  # snps.stride of the demo; truth.tsv marks the causal variants on this grid


@dataclass(frozen=True)
class Scores:
    """Numbers of polygenic scores, and the share of the variance of a relevant score that is noise."""

    relevant: int
    irrelevant: int
    noise: float


@dataclass(frozen=True)
class Lesions:
    """Settings of expression, brains and tumours.

    Attributes:
        dimensions: 2 for slices, 3 for volumes.
        genes: number of genes.
        driven: share of a programme's variance that its latent explains.
        contrast: mean difference in brightness between tumour and tissue (black to white is 1).
        distractors: share of samples with a lookalike.
        size: pixels or voxels per side.
        nuisance: scale of the nuisance variation.
        missing_rate: share of samples without an image, and without expression.
        unusable: number of unusable images.
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
        if self.genes < MIN_GENES * len(PROGRAMMES):
            raise UserError(
                f"config: simulate.lesions.genes is {self.genes}, but {len(PROGRAMMES)} programmes need "
                f"{MIN_GENES} genes each. Increase it to at least {MIN_GENES * len(PROGRAMMES)}."
            )
        if self.dimensions == 3 and self.size > MAX_VOLUME_SIZE:
            raise UserError(
                f"config: simulate.image_size is {self.size}, but simulated volumes (simulate.lesions.dimensions: 3) "
                f"have at most {MAX_VOLUME_SIZE} voxels per side. Lower it; 32 is sufficient for tests."
            )

    @classmethod
    def of(cls, settings: Mapping) -> "Lesions":
        """Build from the config block `simulate`, which has a block `lesions` (with defaults)."""
        return cls(
            **settings["lesions"],
            size=settings["image_size"],
            nuisance=settings["nuisance"],
            missing_rate=settings["missing_rate"],
            unusable=settings["unusable_images"],
        )


@dataclass(frozen=True)
class Simulation:
    """Settings of the genotypes and traits of a cohort."""

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
                "variance. Keep their sum at 0.95 or below."
            )
        if 2 * self.related_pairs > self.n_samples - 2:
            raise UserError(
                f"config: simulate.related_pairs is {self.related_pairs}, but {self.n_samples} samples allow at most "
                f"{self.n_samples // 2 - 1} pairs. Lower it, or increase simulate.n_samples."
            )

    @classmethod
    def of(cls, settings: Mapping) -> "Simulation":
        """Build from the config block (with defaults). Keys of the images are validated and ignored."""
        if "lesions" in settings:
            Lesions.of(settings)
            if "groups" in settings:
                raise UserError(
                    "config: simulate has lesions and groups, but groups need photographs of the eye, which lesions "
                    "replace. Remove one of the two."
                )
        names = [name for name in cls.__dataclass_fields__ if name not in ("planted_q2", "pgs")]
        return cls(
            **{name: settings[name] for name in names},
            planted_q2=tuple(settings["planted_q2"]),
            pgs=Scores(**settings["pgs"]),
        )

    @property
    def length(self) -> int:
        """Length of a chromosome in base pairs."""
        return round(self.megabases * 1e6)
