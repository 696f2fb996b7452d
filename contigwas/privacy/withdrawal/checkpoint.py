"""Removal of withdrawn participants from checkpoints, which list training samples as hashes of IIDs."""

import os
from collections.abc import Collection
from pathlib import Path

import torch

from contigwas.runtime.atomic_files import replacing
from contigwas.samples.folds import stable_hash


def forget(path: Path, withdrawn: Collection[str]) -> int:
    """Remove the hashes of the IIDs `withdrawn` from a checkpoint, in place, and return how many it had.

    The weights stay. The file keeps its modification time, because outputs that depend on the weights are still up to
    date.
    """
    state = torch.load(path, map_location="cpu", weights_only=True)
    hashes = {stable_hash(iid) for iid in withdrawn}
    lists = [*state.get("roles", {}).values(), state.get("seen", [])]
    found = len(hashes.intersection(*[set().union(*lists)]))
    if found:
        for hash_list in lists:
            hash_list[:] = [value for value in hash_list if value not in hashes]
        status = path.stat()
        with replacing(path) as temporary:
            with temporary.open("wb") as file:
                torch.save(state, file)
            os.utime(temporary, ns=(status.st_atime_ns, status.st_mtime_ns))
    return found
