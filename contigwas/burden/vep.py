"""Read the output of VEP, a tab-separated table or INFO/CSQ of a VCF, as one category per variant and gene.

The category is the first that applies to any transcript of the gene: `LoF` (IMPACT is HIGH; with `loftee`, LoF is HC),
`missense` (missense_variant with a score of at least `min_score`, or any if `score` is not set), `LoF_LC` (only with
`loftee`: IMPACT is HIGH, but LoF is not HC), `missense_unscored`, `missense_benign` (below `min_score`), `synonymous`.
Other consequences and rows without a gene are skipped and counted.
"""

import logging
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from contigwas.burden.text import lines
from contigwas.runtime.atomic_files import PathLike
from contigwas.runtime.errors import UserError

log = logging.getLogger(__name__)

CATEGORIES = ("LoF", "missense", "LoF_LC", "missense_unscored", "missense_benign", "synonymous")
RANK = {name: number for number, name in enumerate(CATEGORIES)}
BLANK = ("", "-", ".")
UPLOADED = re.compile(r"^(.+)_(\d+)_([A-Za-z*-]+)/([A-Za-z*/-]+)$")  # VEP's name for a variant without an ID
Row = tuple[str, str, Mapping[str, str]]  # name, chrom:pos:ref:alt (parts may be empty), fields


def read_vep(path: PathLike, settings: Mapping[str, object], vcf: bool) -> pd.DataFrame:
    """Read `variant` (str), `place` (str), `gene`, `category` (categorical), one row per variant and gene.

    `place` is `chrom:pos:ref:alt`, with empty parts if unknown. Alleles may be in VEP's form, with `-` for an allele
    that is empty without the first shared base. `settings` has `gene` (name of the gene field), `score` (name of a
    field, or None), `min_score` and `loftee`. Raises UserError when the file is malformed or a required field is
    missing.
    """
    needed = ["IMPACT", "Consequence", settings["gene"]]
    needed += [settings["score"]] if settings["score"] else []
    needed += ["LoF"] if settings["loftee"] else []
    variants, places, genes, ranks = [], [], [], []
    counts: Counter[str] = Counter()
    for name, place, fields in (_vcf if vcf else _tab)(path, needed):
        gene = fields.get(settings["gene"], "")
        if gene in BLANK:
            counts["without a gene"] += 1
            continue
        category = _category(fields, settings)
        if not category:
            counts["of other consequences"] += 1
            continue
        if name in BLANK and not place:
            counts["without a name or position"] += 1
            continue
        variants.append(place if name in BLANK else name)
        places.append(place)
        genes.append(gene)
        ranks.append(RANK[category])
    reported = ", ".join(f"{count} {why}" for why, count in sorted(counts.items())) or "none"
    log.info("%s: skipped rows of transcripts: %s", path, reported)
    table = pd.DataFrame({"variant": variants, "place": places, "gene": genes, "rank": np.array(ranks, np.int8)})
    worst = table.groupby(["variant", "place", "gene"], sort=False)["rank"].min().reset_index()
    category = pd.Categorical.from_codes(worst["rank"].to_numpy(), list(CATEGORIES)).remove_unused_categories()
    found = worst.drop(columns="rank").assign(category=category).astype({"gene": "category"})
    reported = ", ".join(f"{count} {name}" for name, count in found["category"].value_counts(sort=False).items())
    log.info("%s: variants of genes by category: %s", path, reported or "none")
    if found.empty:
        raise UserError(
            f"{path} has no variant with a gene in {settings['gene']} and a coding consequence. Check burden.vep.gene "
            "and that VEP was run on the variants of the exome calls."
        )
    return found


def _category(fields: Mapping[str, str], settings: Mapping[str, object]) -> str:
    """Return the category of one transcript, empty for other consequences."""
    if settings["loftee"] and fields.get("LoF") == "HC":
        return "LoF"
    if fields.get("IMPACT") == "HIGH":
        return "LoF_LC" if settings["loftee"] else "LoF"
    consequence = fields.get("Consequence", "")
    if "missense_variant" in consequence:
        if not settings["score"]:
            return "missense"
        score = _score(fields.get(settings["score"], ""))
        if score is None:
            return "missense_unscored"
        return "missense" if score >= settings["min_score"] else "missense_benign"
    return "synonymous" if "synonymous_variant" in consequence else ""


def _score(text: str) -> float | None:
    """Return the highest of the numbers separated by & or a comma (one per transcript in dbNSFP), None without one."""
    found = []
    for part in re.split("[&,]", text):
        try:
            value = float(part)
        except ValueError:
            continue
        found += [value] if np.isfinite(value) else []
    return max(found, default=None)


def _require(path: PathLike, fields: Sequence[str], needed: Sequence[str]) -> None:
    """Raise UserError when a field of `needed` is missing."""
    missing = [value for value in needed if value not in fields]
    if missing:
        raise UserError(
            f"{path} has no field {', '.join(missing)} (it has {', '.join(fields)}). Correct burden.vep, or run VEP "
            "with the option that adds it (--symbol, a plugin)."
        )


def _tab(path: PathLike, needed: Sequence[str]) -> Iterator[Row]:
    """Yield the rows of a VEP table: the default format with the column Extra, or that of --tab."""
    columns: list[str] = []
    fields_seen: set[str] = set()
    for number, line in enumerate(lines(path, "burden.annotations"), 1):
        if line.startswith("##") or not line:
            continue
        if line.startswith("#"):
            columns = line.lstrip("#").split("\t")
            _require(path, columns, ["Uploaded_variation", "Allele"])
            if "Extra" not in columns:
                _require(path, columns, needed)
            continue
        if not columns:
            raise UserError(
                f"{path}, line {number} comes before the header #Uploaded_variation. Write the VEP table again."
            )
        values = line.split("\t")
        if len(values) != len(columns):
            raise UserError(
                f"{path}, line {number} has {len(values)} columns, but the header has {len(columns)}. Fix that line."
            )
        fields = dict(zip(columns, values, strict=True))
        fields.update(part.split("=", 1) for part in fields.get("Extra", "").split(";") if "=" in part)
        fields_seen.update(fields)
        name = fields["Uploaded_variation"]
        yield name, _uploaded(name, fields), fields
    if fields_seen:
        _require(
            path, sorted(fields_seen - {"Extra"}), needed
        )  # the fields of Extra are known only after reading all lines


def _uploaded(name: str, fields: Mapping[str, str]) -> str:
    """Return the place of a row of a VEP table, from its name, else from its location; at least the allele."""
    named = UPLOADED.match(name)
    allele = fields["Allele"]
    if named:
        chrom, pos, ref, alternatives = named.groups()
        alt = allele if "/" in alternatives else alternatives
        return f"{chrom}:{pos}:{ref}:{alt}"
    ref = fields.get("REF_ALLELE", "")
    chrom, _, span = fields.get("Location", "").rpartition(":")
    start = span.split("-")[0]
    if not ref or not chrom or not start.isdigit():
        return f":::{allele}"
    # an insertion is between two bases, and VEP uses the position of the second
    return f"{chrom}:{int(start) + (ref == '-')}:{ref}:{allele}"


def _vcf(path: PathLike, needed: Sequence[str]) -> Iterator[Row]:
    """Yield the rows of INFO/CSQ of a VCF, one per transcript and alternate allele."""
    fields: list[str] = []
    for number, line in enumerate(lines(path, "burden.annotations"), 1):
        if line.startswith("#"):
            if line.startswith("##INFO=<ID=CSQ,"):
                form = re.search(r'Format: ?([^">]+)', line)
                fields = [value.strip() for value in form[1].split("|")] if form else []
                _require(path, fields, ["Allele", *needed])
            continue
        if not fields:
            raise UserError(f"{path} has no header line with the format of INFO/CSQ. Annotate the VCF with vep --vcf.")
        parts = line.split("\t", 8)
        if len(parts) < 8:
            raise UserError(f"{path}, line {number} has fewer than eight columns. Fix that line.")
        chrom, pos, name, ref, alternatives, _, _, info = parts[:8]
        reported = next((value[4:] for value in info.split(";") if value.startswith("CSQ=")), "")
        of_allele = _vep_alleles(ref, alternatives.split(","))
        for entry in reported.split(",") if reported else ():
            values = entry.split("|")
            if len(values) != len(fields):
                raise UserError(
                    f"{path}, line {number}: CSQ has {len(values)} fields, but its format has {len(fields)}. Annotate "
                    "the VCF again."
                )
            named = dict(zip(fields, values, strict=True))
            alt = of_allele.get(named["Allele"])
            if alt is not None:
                is_multiallelic = len(of_allele) > 1
                place = f"{chrom}:{pos}:{ref}:{alt}"
                yield (place if is_multiallelic else name.split(";")[0]), place, named


def _vep_alleles(ref: str, alternatives: Sequence[str]) -> dict[str, str]:
    """Map the allele names of VEP to the alternate alleles; VEP removes the first shared base of an indel."""
    alleles = [ref, *alternatives]
    indel = any(len(value) != len(ref) for value in alternatives)
    trim = indel and len({value[:1].upper() for value in alleles if value != "*"}) == 1
    return {(value[1:] or "-") if trim and value != "*" else value: value for value in alternatives}
