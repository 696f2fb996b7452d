"""The table of candidates: all samples of any input except withdrawn ones, with one column per source."""

import logging
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from contigwas.runtime.atomic_files import PathLike, write_tsv
from contigwas.runtime.errors import UserError
from contigwas.samples.withdrawn import read_withdrawn
from contigwas.tables.sample_ids import require_overlap, shape
from contigwas.tables.text import read_table

log = logging.getLogger(__name__)


def write_candidates(
    genotypes: Sequence[PathLike],
    images_table: PathLike | None = None,
    exome: Sequence[PathLike] = (),
    keep: PathLike | None = None,
    withdrawn: PathLike | None = None,
    output: PathLike = "candidates.tsv",
) -> None:
    """Write candidates.tsv: `fid iid sex`, then a 0/1 column for each source that is supplied.

    `genotypes` and `exome` are .fam, .psam or .sample files (or a .bgen without a .sample file). fid and sex come from
    the genotypes, else from the exome. For other samples fid is the IID and sex is 0. Withdrawn participants get no
    row. Raises UserError when a file is malformed, when an IID is duplicated, when the files of one source contain
    different samples, or when a source and the genotypes have no sample in common.
    """
    genotyped_samples = same_samples(genotypes, "genotypes")
    sample_tables = [genotyped_samples]
    sources = {"genotypes": (str(genotypes[0]), genotyped_samples["iid"])}
    if images_table is not None:
        sources["images"] = (str(images_table), listed_samples(images_table, "images.table"))
    if exome:
        sample_tables.append(same_samples(exome, "exome"))
        sources["exome"] = (str(exome[0]), sample_tables[-1]["iid"])
    if keep is not None:
        sources["keep"] = (str(keep), listed_samples(keep, "samples.keep"))

    path, genotyped = sources["genotypes"]
    for name, (other, iids) in sources.items():
        require_overlap(genotyped, iids, f"the genotypes ({path})", f"{name} ({other})")
    withdrawn_iids = _withdrawn(withdrawn, (iids for _, iids in sources.values()))
    sources = {name: (path, iids[~iids.isin(withdrawn_iids)]) for name, (path, iids) in sources.items()}
    write_tsv(_table(sources, pd.concat(sample_tables).drop_duplicates("iid")), output)


def read_candidates(path: PathLike) -> pd.DataFrame:
    """Read the table of candidates in file order; IIDs are strings."""
    return read_table(path, ["fid", "iid", "sex", "genotypes"], "the table of candidates")


def analysed(candidates: pd.DataFrame) -> pd.DataFrame:
    """Return the candidates with genotypes that are also in `samples.keep`, if it is set."""
    is_analysed = candidates["genotypes"] == 1
    if "keep" in candidates.columns:
        is_analysed &= candidates["keep"] == 1
    return candidates[is_analysed]


def _table(sources: Mapping[str, tuple[str, pd.Series]], sample_info: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each sample of any source, in the order of the sources."""
    all_iids = pd.concat([iids for _, iids in sources.values()]).drop_duplicates()
    table = pd.DataFrame({"iid": all_iids.to_numpy()}).merge(sample_info, how="left", on="iid")
    table["fid"] = table["fid"].fillna(table["iid"])
    table["sex"] = table["sex"].fillna(0).astype(int)
    table = table[["fid", "iid", "sex"]]
    for name, (_, iids) in sources.items():
        table[name] = table["iid"].isin(iids).astype(int)
        log.info(
            "%s: %d samples, %d of them in the genotypes", name, len(iids), iids.isin(sources["genotypes"][1]).sum()
        )
    log.info("%d candidates, %d of them in every source", len(table), (table.iloc[:, 3:] == 1).all(axis=1).sum())
    return table


def same_samples(paths: Sequence[PathLike], source: str) -> pd.DataFrame:
    """Return the samples of the first file.

    Raises UserError unless all files contain the same samples, in any order.
    """
    from contigwas.genotypes.reader import (
        read_samples,  # imports the readers of all formats, which training does not need
    )

    first = read_samples(paths[0])
    for path in paths[1:]:
        other = read_samples(path)
        n_different = len(set(first["iid"]) ^ set(other["iid"]))
        if n_different:
            raise UserError(
                f"{path} ({len(other)} samples, IDs of {shape(other['iid'])}) and {paths[0]} ({len(first)} samples, "
                f"IDs of {shape(first['iid'])}) differ in {n_different} samples. All files of the {source} must "
                "contain the same samples."
            )
    return first


def listed_samples(path: PathLike, what: str) -> pd.Series:
    """Read the distinct IIDs of a text table, in file order."""
    return read_table(path, ["iid"], what)["iid"].drop_duplicates()


def _withdrawn(path: PathLike | None, source_iids: Iterable[pd.Series]) -> set[str]:
    """Return the withdrawn IIDs that are in any source. The number of the others is logged."""
    if path is None:
        return set()
    withdrawn_iids = read_withdrawn(path)
    found = withdrawn_iids.intersection(*[set().union(*source_iids)])
    log.info("%d participants are withdrawn: %d of them are in the inputs, %d are not", len(withdrawn_iids), len(found),
             len(withdrawn_iids) - len(found))  # fmt: skip
    if withdrawn_iids and not found:
        log.warning(
            "samples.withdrawn: no participant is in the inputs; the IDs in the list have %s", shape(withdrawn_iids)
        )
    return found
