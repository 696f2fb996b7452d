"""Who the inputs name, and how many of them meet."""

from collections.abc import Callable

import pandas as pd

from contigwas.genotypes.external import read_kinship, read_pcs
from contigwas.preflight.context import Study
from contigwas.samples.ancestry import outside_column
from contigwas.samples.candidates import listed_samples
from contigwas.samples.withdrawn import read_withdrawn
from contigwas.tables.sample_ids import require_overlap, shape
from contigwas.tables.text import read_table


def check(study: Study) -> None:
    """The lists and tables of samples beside the genotypes; every one must share somebody with them."""
    samples, genotypes = study.config["samples"], study.config["genotypes"]
    _listed(study, "samples.keep", samples["keep"], "keep", lambda path: listed_samples(path, "samples.keep"))
    _withdrawn(study, samples["withdrawn"])
    _listed(study, "genotypes.pcs_file", genotypes["pcs_file"], "pcs_file", lambda path: _pcs(study, path))
    _listed(study, "genotypes.kinship", genotypes["kinship"], "kinship", _relatives)
    ancestry = genotypes["ancestry"] or {}
    key = "genotypes.ancestry.reference"
    _listed(study, key, ancestry.get("reference"), "ancestry reference", lambda path: listed_samples(path, key))
    _by_ancestry(study, ancestry)


def _listed(study: Study, key: str, path: str | None, source: str, read: Callable) -> None:
    """Keep the samples of a file; an error where nobody of them has genotypes."""
    if not study.there(key, path):
        return
    with study.findings.reported(key):
        study.samples[source] = pd.Index(read(path)).astype(str).unique()
        require_shared(study, source, path)


def require_shared(study: Study, source: str, path: str) -> None:
    """Raise UserError where nobody of a source is in the genotypes."""
    if "genotypes" in study.samples:
        pattern = study.config["genotypes"]["array"]
        samples = study.samples[source]
        require_overlap(study.samples["genotypes"], samples, f"the genotypes ({pattern})", f"{source} ({path})")


def _withdrawn(study: Study, path: str | None) -> None:
    if not study.there("samples.withdrawn", path):
        return
    with study.findings.reported("samples.withdrawn"):
        gone = pd.Index(sorted(read_withdrawn(path)), dtype=object)
        study.samples["withdrawn"] = gone
        known = "genotypes" in study.samples and gone.isin(study.samples["genotypes"]).any()
        if len(gone) and "genotypes" in study.samples and not known:
            study.findings.warn(
                "samples.withdrawn",
                f"nobody of the {len(gone)} samples of {path} is in the genotypes: its IDs are of {shape(gone)}, the "
                f"genotypes' of {shape(study.samples['genotypes'])}; write them as the genotypes do",
            )


def _pcs(study: Study, path: str) -> pd.Index:
    return read_pcs(path, study.config["genotypes"]["pcs"]).index


def _relatives(path: str) -> pd.Series:
    pairs = read_kinship(path)
    return pd.concat([pairs["one"], pairs["other"]])


def _by_ancestry(study: Study, ancestry: dict) -> None:
    key = "genotypes.ancestry.table"
    analysed = study.analysed
    if analysed is None or not study.there(key, ancestry.get("table")):
        return
    with study.findings.reported(key):
        study.samples["ancestry table"] = pd.Index(read_table(ancestry["table"], ["iid"], key)["iid"]).unique()
        outside = outside_column(analysed, ancestry)
        study.findings.fact(key, f"{(~outside).sum():,} of the {len(analysed):,} samples analysed are of the ancestry")


def overlaps(study: Study) -> None:
    """One fact: a table of the sources, how many samples each names, and how many of these meet the others."""
    if "genotypes" not in study.samples:
        return
    genotyped, imaged = study.samples["genotypes"], study.imaged
    third = f"{'with image too':>16}" if imaged is not None else ""
    reported = [f"{'source':<22}{'samples':>9}{'in genotypes':>14}{third}"]
    for source, samples in study.samples.items():
        row = f"{source:<22}{len(samples):>9,}{_among(samples, genotyped):>14,}"
        reported.append(row + (f"{_among(samples, imaged):>16,}" if imaged is not None else ""))
    study.findings.fact("samples", "\n".join(reported))
    reported = f"{len(study.analysed):,} samples are analysed: genotypes, samples.keep, not withdrawn"
    if imaged is not None:
        reported += f"; {len(imaged):,} of them have an image (last column)"
    study.findings.fact("samples", reported)
    if not len(study.analysed):
        study.findings.error(
            "samples", "nobody is left who has genotypes, is in samples.keep and has not withdrawn: correct the lists"
        )
    elif imaged is not None and not len(imaged) and study.samples["images"].isin(genotyped).any():
        study.findings.error(
            "images.table",
            "nobody who is analysed has an image: the samples of the table who have genotypes are not in samples.keep, "
            "or have withdrawn: correct the lists",
        )


def _among(samples: pd.Index, others: pd.Index) -> int:
    """How many of `samples` are `others`, each once, whose look-up is made once for all sources."""
    return int((others.get_indexer(samples) >= 0).sum())
