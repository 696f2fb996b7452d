"""Download scoring files from the PGS Catalog. An incomplete file is never kept."""

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

    `catalog` is the address of the PGS Catalog's scores, or of a mirror with the same folders. The file is checked
    against the MD5 sum of the catalog. Raises UserError when the network or the score is not
    available, or the sums differ.
    """
    name = f"{identifier}_hmPOS_{build}.txt.gz"
    url = f"{catalog.rstrip('/')}/{identifier}/ScoringFiles/Harmonized/{name}"
    content = _fetch(url, f"the score {identifier}")
    expected = _fetch(f"{url}.md5", f"the MD5 sum of the score {identifier}").split()
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if not expected or expected[0].decode(errors="replace").lower() != found:
        raise UserError(f"{url}: the MD5 sum differs from that of the catalog. Download it again.")
    with replacing(output) as temporary:
        temporary.write_bytes(content)
    log.info("%s: %d bytes", name, len(content))


def _fetch(url: str, what: str) -> bytes:
    """Download the content of a URL. Raises UserError, which describes it as `what`, when it is not available."""
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as response:
            return response.read()
    except urllib.error.HTTPError as error:
        raise UserError(
            f"pgs.download: {what} is not at {url} (HTTP {error.code}). Check pgs.download and genotypes.build."
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise UserError(
            f"pgs.download: {what} cannot be downloaded from {url} ({reason}). Connect to the network, or download the "
            "file on another machine, set pgs.scores to its path and leave pgs.download empty."
        ) from None
