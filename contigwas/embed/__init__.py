"""Features of the trained image encoder for all samples with a usable image."""

from contigwas.embed.embed import embed

__all__ = ["embed"]
