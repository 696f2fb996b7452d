"""Photographs and volumes to one uint8 array: size, quality figures, and who was dropped and why."""

from contigwas.images.decoded import Decoded
from contigwas.images.fundus import Field, find_field
from contigwas.images.photograph import read_photograph
from contigwas.images.store import write_images

__all__ = ["Decoded", "Field", "find_field", "read_photograph", "write_images"]
