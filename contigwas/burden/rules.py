"""What qualifies for a burden, and what is made of it."""

from collections.abc import Mapping
from dataclasses import dataclass

from contigwas.burden.regenie import read_masks
from contigwas.runtime.errors import UserError

STATISTICS = ("max", "sum", "comphet", "binary")


@dataclass(frozen=True)
class Rules:
    """masks: name to categories; max_aaf: inclusive; max_missing: largest share of samples not called, inclusive.

    With `singletons` every mask has a second one, `<mask>.singleton`, of those of its variants that are singletons.
    """

    masks: Mapping[str, tuple[str, ...]]
    statistic: str
    max_aaf: float
    max_missing: float
    singletons: bool

    def __post_init__(self) -> None:
        """Raise UserError when a mask's name has white space or would are duplicated."""
        spaced = [mask for mask in self.masks if len(mask.split()) != 1]
        if spaced:
            raise UserError(f"config: burden.masks has a mask {spaced[0]!r}: give it a name without white space")
        if self.singletons and any(f"{mask}.singleton" in self.masks for mask in self.masks):
            raise UserError(
                "config: burden.singletons makes a mask <name>.singleton of every mask, and burden.masks has one of "
                "that name: rename it"
            )

    @classmethod
    def of(cls, settings: Mapping[str, object]) -> "Rules":
        """The rules of the config's block; masks may be a file. Raises UserError for a malformed mask file."""
        masks = {name: tuple(categories) for name, categories in read_masks(settings["masks"]).items()}
        keys = ("statistic", "max_aaf", "max_missing", "singletons")
        return cls(masks, *(settings[key] for key in keys))

    @property
    def features(self) -> list[str]:
        """The names of the masks, with those of singletons, each behind its own mask."""
        kinds = ["", ".singleton"] if self.singletons else [""]
        return [f"{mask}{kind}" for mask in self.masks for kind in kinds]
