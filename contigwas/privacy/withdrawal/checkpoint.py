"""Checkpoints know whom they saw by hashes of IIDs: those of the withdrawn are taken out, the weights stay."""

import os
from collections.abc import Collection
from pathlib import Path

import torch

from contigwas.runtime.atomic_files import replacing
from contigwas.samples.folds import stable_hash


def forget(path: Path, gone: Collection[str]) -> int:
    """Take the hashes of `gone` out of a checkpoint, in place, and return how many stood there.

    The file keeps its time: what was made of these weights is as current as before.
    """
    state = torch.load(path, map_location="cpu", weights_only=True)
    hashes = {stable_hash(iid) for iid in gone}
    lists = [*state.get("roles", {}).values(), state.get("seen", [])]
    found = len(hashes.intersection(*[set().union(*lists)]))
    if found:
        for one in lists:
            one[:] = [value for value in one if value not in hashes]
        before = path.stat()
        with replacing(path) as temporary:
            with temporary.open("wb") as file:
                torch.save(state, file)
            os.utime(temporary, ns=(before.st_atime_ns, before.st_mtime_ns))
    return found
