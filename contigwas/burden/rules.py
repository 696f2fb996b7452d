"""Rules of a burden: which variants qualify, and how they are collapsed."""

from collections.abc import Mapping
from dataclasses import dataclass

from contigwas.burden.regenie import read_masks
from contigwas.runtime.errors import UserError

STATISTICS = ("max", "sum", "comphet", "binary")


@dataclass(frozen=True)
class Rules:
    """Settings of the burden.

    Attributes:
        masks: categories of each mask.
        statistic: one of STATISTICS.
        max_aaf: maximum alternate-allele frequency, inclusive.
        max_missing: maximum share of missing calls, inclusive.
        singletons: add a mask `<mask>.singleton` with the singletons of every mask.
    """

    masks: Mapping[str, tuple[str, ...]]
    statistic: str
    max_aaf: float
    max_missing: float
    singletons: bool

    def __post_init__(self) -> None:
        """Raise UserError when the name of a mask contains white space or is duplicated."""
        spaced = [mask for mask in self.masks if len(mask.split()) != 1]
        if spaced:
            raise UserError(f"config: burden.masks has a mask {spaced[0]!r}. Use a name without white space.")
        if self.singletons and any(f"{mask}.singleton" in self.masks for mask in self.masks):
            raise UserError(
                "config: burden.singletons adds a mask <name>.singleton for every mask, and burden.masks already has a "
                "mask of that name. Rename it."
            )

    @classmethod
    def of(cls, settings: Mapping[str, object]) -> "Rules":
        """Build from the config block `burden`; masks may be a file. Raises UserError for a malformed mask file."""
        masks = {name: tuple(categories) for name, categories in read_masks(settings["masks"]).items()}
        keys = ("statistic", "max_aaf", "max_missing", "singletons")
        return cls(masks, *(settings[key] for key in keys))

    @property
    def features(self) -> list[str]:
        """The names of the masks; the mask of singletons follows its own mask."""
        kinds = ["", ".singleton"] if self.singletons else [""]
        return [f"{mask}{kind}" for mask in self.masks for kind in kinds]
