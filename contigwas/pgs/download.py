"""Download scoring files from the PGS Catalog, whole or not at all."""

import hashlib
import logging
import urllib.error
import urllib.request

from contigwas.runtime.atomic_files import PathLike, replacing
from contigwas.runtime.errors import UserError

log = logging.getLogger(__name__)

TIMEOUT = 60  # seconds


def download_score(identifier: str, build: str, catalog: str, output: PathLike) -> None:
    """Download the scoring file of `identifier` (PGS000001), harmonised to `build`, from `catalog` to `output`.

    `catalog` is the address of the PGS Catalog's scores, or of a mirror with the same folders. The MD5 sum that lies
    beside the file is checked. Raises UserError where there is no network, no such score, or another sum.
    """
    name = f"{identifier}_hmPOS_{build}.txt.gz"
    address = f"{catalog.rstrip('/')}/{identifier}/ScoringFiles/Harmonized/{name}"
    content = _fetch(address, f"the score {identifier}")
    reported = _fetch(f"{address}.md5", f"the MD5 sum of the score {identifier}").split()
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if not reported or reported[0].decode(errors="replace").lower() != found:
        raise UserError(f"{address} came with another MD5 sum than the catalog says: download it again")
    with replacing(output) as temporary:
        temporary.write_bytes(content)
    log.info("%s: %d bytes", name, len(content))


def _fetch(address: str, what: str) -> bytes:
    try:
        with urllib.request.urlopen(address, timeout=TIMEOUT) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        raise UserError(
            f"{what} is not at {address} (HTTP {error.code}): check pgs.download and genotypes.build"
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise UserError(
            f"{what} cannot be downloaded from {address} ({reason}): connect to the network, or download the file "
            "elsewhere, name it in pgs.scores and leave pgs.download empty"
        ) from None
