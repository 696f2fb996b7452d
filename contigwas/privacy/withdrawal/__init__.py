"""Removal of withdrawn participants: outputs of this run are checked, outdated outputs that name them are deleted."""

from contigwas.privacy.withdrawal.purge import purge

__all__ = ["purge"]
