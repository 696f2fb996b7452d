"""Recognise the genome build in a text, such as a file name or a header."""

import re

NAMES = {"GRCh37": "grch37|hg19|b37|build37|hs37d5", "GRCh38": "grch38|hg38|b38|build38|hs38"}


def named_build(text: str) -> str | None:
    """Return GRCh37 or GRCh38 if `text` names exactly one of them, else None.

    >>> [named_build(text) for text in ("glist-hg19.txt", "#!genome-build GRCh38.p14", "hg19_to_hg38.bed", "v38.gtf")]
    ['GRCh37', 'GRCh38', None, None]
    """
    found = [
        build for build, names in NAMES.items() if re.search(rf"(?<![a-z0-9])({names})(?![0-9])", text, re.IGNORECASE)
    ]
    return found[0] if len(found) == 1 else None
