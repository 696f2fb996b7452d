"""Whoever withdraws leaves every result: what the run made anew is searched, what it did not is removed."""

from contigwas.privacy.withdrawal.purge import purge

__all__ = ["purge"]
