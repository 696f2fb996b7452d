"""Everyone that any input names, minus the withdrawn, with one column a source."""

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
    """Write candidates.tsv: `fid iid sex`, then a 0/1 column for each source that is given.

    `genotypes` and `exome` are .fam, .psam or .sample files (or a .bgen without one). fid and sex come from the
    genotypes, else from the exome; of the others the fid is the IID and the sex 0. Samples in `withdrawn` get no row.
    Raises UserError when a file is malformed, names a sample twice, when the files of one source name different
    samples, or when a source shares nobody with the genotypes.
    """
    array = same_samples(genotypes, "genotypes")
    fams = [array]
    sources = {"genotypes": (str(genotypes[0]), array["iid"])}
    if images_table is not None:
        sources["images"] = (str(images_table), listed_samples(images_table, "images.table"))
    if exome:
        fams.append(same_samples(exome, "exome"))
        sources["exome"] = (str(exome[0]), fams[-1]["iid"])
    if keep is not None:
        sources["keep"] = (str(keep), listed_samples(keep, "samples.keep"))

    path, genotyped = sources["genotypes"]
    for name, (other, iids) in sources.items():
        require_overlap(genotyped, iids, f"the genotypes ({path})", f"{name} ({other})")
    gone = _withdrawn(withdrawn, (iids for _, iids in sources.values()))
    sources = {name: (path, iids[~iids.isin(gone)]) for name, (path, iids) in sources.items()}
    write_tsv(_table(sources, pd.concat(fams).drop_duplicates("iid")), output)


def read_candidates(path: PathLike) -> pd.DataFrame:
    """The table of candidates, file order; IIDs are strings."""
    return read_table(path, ["fid", "iid", "sex", "genotypes"], "the table of candidates")


def analysed(candidates: pd.DataFrame) -> pd.DataFrame:
    """The candidates whose genotypes are looked at: in the genotypes, and in `samples.keep` where there is one."""
    wanted = candidates["genotypes"] == 1
    if "keep" in candidates.columns:
        wanted &= candidates["keep"] == 1
    return candidates[wanted]


def _table(sources: Mapping[str, tuple[str, pd.Series]], known: pd.DataFrame) -> pd.DataFrame:
    """One row for each sample of any source, in the order in which the sources name them."""
    everyone = pd.concat([iids for _, iids in sources.values()]).drop_duplicates()
    table = pd.DataFrame({"iid": everyone.to_numpy()}).merge(known, how="left", on="iid")
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
    """The samples of the first file, after a check that the others name the same ones, in any order."""
    from contigwas.genotypes.reader import (
        read_samples,  # supplies the readers of all formats, which training does without
    )

    first = read_samples(paths[0])
    for path in paths[1:]:
        other = read_samples(path)
        alone = len(set(first["iid"]) ^ set(other["iid"]))
        if alone:
            raise UserError(
                f"{path} ({len(other)} samples, IDs of {shape(other['iid'])}) and {paths[0]} ({len(first)} samples, "
                f"IDs of {shape(first['iid'])}) differ in {alone} samples: all files of the {source} must name "
                "the same samples"
            )
    return first


def listed_samples(path: PathLike, what: str) -> pd.Series:
    """The different IIDs of a text table, in its order."""
    return read_table(path, ["iid"], what)["iid"].drop_duplicates()


def _withdrawn(path: PathLike | None, named: Iterable[pd.Series]) -> set[str]:
    """Those of the withdrawn whom a source names; how many none names is only counted."""
    if path is None:
        return set()
    gone = read_withdrawn(path)
    found = gone.intersection(*[set().union(*named)])
    log.info("%d samples are withdrawn: %d of them were in the inputs, %d in none", len(gone), len(found),
             len(gone) - len(found))  # fmt: skip
    if gone and not found:
        log.warning("nobody of samples.withdrawn is in the inputs: its IDs have %s", shape(gone))
    return found
