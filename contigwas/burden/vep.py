"""VEP's output, as a tab-separated table or as INFO/CSQ of a VCF, reduced to one category a variant and gene.

In this order, the first that applies to any transcript of the gene: `LoF` (IMPACT is HIGH; with `loftee`, LoF is HC),
`missense` (missense_variant whose score reaches `min_score`, or any where no score is named), `LoF_LC` (IMPACT is HIGH
but LOFTEE does not say HC; with `loftee` only), `missense_unscored`, `missense_benign` (below `min_score`),
`synonymous`. Other consequences and rows without a gene are left out and counted.
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
UPLOADED = re.compile(r"^(.+)_(\d+)_([A-Za-z*-]+)/([A-Za-z*/-]+)$")  # VEP's own name of a variant without one
Row = tuple[str, str, Mapping[str, str]]  # name, chrom:pos:ref:alt (parts may be empty), fields


def read_vep(path: PathLike, settings: Mapping[str, object], vcf: bool) -> pd.DataFrame:
    """VEP's annotations: `variant` (str), `place` (str), `gene`, `category` (categorical), a row a variant and gene.

    `place` is `chrom:pos:ref:alt`, with empty parts where the file does not tell; alleles may be in VEP's form, `-`
    where nothing is left after the first base. `settings` has `gene` (the field that names it), `score` (a field, or
    None), `min_score` and `loftee`. Raises UserError when the file is malformed or lacks a field that is needed.
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
            counts["without a name or place"] += 1
            continue
        variants.append(place if name in BLANK else name)
        places.append(place)
        genes.append(gene)
        ranks.append(RANK[category])
    reported = ", ".join(f"{count} {why}" for why, count in sorted(counts.items())) or "none"
    log.info("%s: rows of transcripts left out: %s", path, reported)
    table = pd.DataFrame({"variant": variants, "place": places, "gene": genes, "rank": np.array(ranks, np.int8)})
    worst = table.groupby(["variant", "place", "gene"], sort=False)["rank"].min().reset_index()
    category = pd.Categorical.from_codes(worst["rank"].to_numpy(), list(CATEGORIES)).remove_unused_categories()
    found = worst.drop(columns="rank").assign(category=category).astype({"gene": "category"})
    reported = ", ".join(f"{count} {name}" for name, count in found["category"].value_counts(sort=False).items())
    log.info("%s: variants of genes by category: %s", path, reported or "none")
    if found.empty:
        raise UserError(
            f"{path} has no variant with a gene in {settings['gene']} and a coding consequence: check burden.vep.gene "
            "and that VEP was run on the exome's variants"
        )
    return found


def _category(fields: Mapping[str, str], settings: Mapping[str, object]) -> str:
    """The category of one transcript, empty for other consequences."""
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
    """The highest number among values joined by & or a comma, as dbNSFP gives one a transcript; None without one."""
    found = []
    for part in re.split("[&,]", text):
        try:
            value = float(part)
        except ValueError:
            continue
        found += [value] if np.isfinite(value) else []
    return max(found, default=None)


def _require(path: PathLike, fields: Sequence[str], needed: Sequence[str]) -> None:
    missing = [one for one in needed if one not in fields]
    if missing:
        raise UserError(
            f"{path} has no field {', '.join(missing)} (it has {', '.join(fields)}): correct burden.vep, or run VEP "
            "with the option that adds it (--symbol, a plugin)"
        )


def _tab(path: PathLike, needed: Sequence[str]) -> Iterator[Row]:
    """Rows of VEP's table, of fixed columns with Extra or of its --tab."""
    columns: list[str] = []
    seen: set[str] = set()
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
                f"{path}, line {number} comes before the header #Uploaded_variation: write VEP's table again"
            )
        values = line.split("\t")
        if len(values) != len(columns):
            raise UserError(
                f"{path}, line {number} has {len(values)} columns where the header has {len(columns)}: fix that line"
            )
        fields = dict(zip(columns, values, strict=True))
        fields.update(part.split("=", 1) for part in fields.get("Extra", "").split(";") if "=" in part)
        seen.update(fields)
        name = fields["Uploaded_variation"]
        yield name, _uploaded(name, fields), fields
    if seen:
        _require(path, sorted(seen - {"Extra"}), needed)  # the fields of Extra are known only now


def _uploaded(name: str, fields: Mapping[str, str]) -> str:
    """The place of a row of VEP's table: from its name, else from its location; at least the allele."""
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
    # an insertion lies between two bases, and VEP counts it at the second
    return f"{chrom}:{int(start) + (ref == '-')}:{ref}:{allele}"


def _vcf(path: PathLike, needed: Sequence[str]) -> Iterator[Row]:
    """Rows of INFO/CSQ of a VCF, one a transcript and alternate allele."""
    fields: list[str] = []
    for number, line in enumerate(lines(path, "burden.annotations"), 1):
        if line.startswith("#"):
            if line.startswith("##INFO=<ID=CSQ,"):
                form = re.search(r'Format: ?([^">]+)', line)
                fields = [one.strip() for one in form[1].split("|")] if form else []
                _require(path, fields, ["Allele", *needed])
            continue
        if not fields:
            raise UserError(
                f"{path} has no header line of INFO/CSQ that gives its format: annotate the VCF with vep --vcf"
            )
        parts = line.split("\t", 8)
        if len(parts) < 8:
            raise UserError(f"{path}, line {number} has fewer than eight columns: fix that line")
        chrom, pos, name, ref, alternatives, _, _, info = parts[:8]
        reported = next((one[4:] for one in info.split(";") if one.startswith("CSQ=")), "")
        of_allele = _vep_alleles(ref, alternatives.split(","))
        for entry in reported.split(",") if reported else ():
            values = entry.split("|")
            if len(values) != len(fields):
                raise UserError(
                    f"{path}, line {number}: CSQ has {len(values)} fields where its format has {len(fields)}: annotate "
                    "the VCF again"
                )
            named = dict(zip(fields, values, strict=True))
            alt = of_allele.get(named["Allele"])
            if alt is not None:
                several = len(of_allele) > 1
                place = f"{chrom}:{pos}:{ref}:{alt}"
                yield (place if several else name.split(";")[0]), place, named


def _vep_alleles(ref: str, alternatives: Sequence[str]) -> dict[str, str]:
    """The alternate alleles by the names VEP gives them: those of an indel without the first base that all share."""
    alleles = [ref, *alternatives]
    indel = any(len(one) != len(ref) for one in alternatives)
    cut = indel and len({one[:1].upper() for one in alleles if one != "*"}) == 1
    return {(one[1:] or "-") if cut and one != "*" else one: one for one in alternatives}
