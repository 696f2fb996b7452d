"""Photographs to one uint8 array: field of view, size, quality figures, and who was dropped and why."""

from contigwas.images.fundus import Field, find_field
from contigwas.images.photograph import Photograph, read_photograph
from contigwas.images.store import write_images

__all__ = ["Field", "Photograph", "find_field", "read_photograph", "write_images"]
