"""Features of the trained image encoder for everyone with a photograph."""

from contigwas.embed.embed import embed

__all__ = ["embed"]
