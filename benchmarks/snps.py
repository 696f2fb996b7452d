"""The SNP matrix at the size of a biobank: fraction of the file's bytes that is read, time and peak memory.

    python benchmarks/snps.py                                       # 100,000 samples, 800,000 variants, stride 100
    python benchmarks/snps.py --samples 2000 --variants 20000        # a small trial

The .bed is written to --folder once. Only the rows of the grid contain random calls. The others are holes of the file,
which makes no difference to a program that reads every k-th row. The stage runs in a process like that of the rule.
Bytes are those that the kernel passed to the process (rchar of /proc/self/io), including all tables, minus those of a
process that only imports the modules. Appends to benchmarks/snps.tsv.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from measure import ROOT, append, row, timed

from contigwas.runtime.atomic_files import write_tsv

STAGE = """
import sys
from pathlib import Path
from contigwas.runtime.job import job
from contigwas.snps import write_snps
place, stride, out = sys.argv[1:4]
if out:
    with job(out + ".log"):
        write_snps(f"{place}/all.bed", {"1": f"{place}/variants.parquet"}, f"{place}/cohort.tsv",
                   {"stride": int(stride), "offset": 0, "list": None, "pruned": False}, out)
io = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
Path(place, "rchar").write_text(io["rchar"])
"""


def write_data(place: Path, samples: int, variants: int, stride: int) -> None:
    """Write the .bed and its tables, and the tables of quality control and of the cohort."""
    place.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(1)
    width = -(-samples // 4)
    with (place / "all.bed").open("wb") as file:
        file.write(b"\x6c\x1b\x01")
        for number in range(0, variants, stride):
            file.seek(3 + number * width)
            file.write(rng.integers(0, 256, width, np.uint8).tobytes())
        file.truncate(3 + variants * width)
    position = 1000 + 200 * np.arange(variants)
    ids = [f"rs{number}" for number in range(variants)]
    bim = pd.DataFrame({"chrom": "1", "id": ids, "cm": 0, "pos": position, "effect_allele": "A", "other_allele": "G"})
    bim.to_csv(place / "all.bim", sep="\t", index=False, header=False)
    names = [f"P{number:06d}" for number in range(samples)]
    fam = pd.DataFrame({"fid": names, "iid": names, "father": 0, "mother": 0, "sex": 1, "phenotype": -9})
    fam.to_csv(place / "all.fam", sep="\t", index=False, header=False)
    checked = bim.drop(columns="cm").assign(kept=True, reason="", call_rate=1.0, af=0.5, hwe_p=1.0)
    checked.assign(index=np.arange(variants, dtype=np.int32)).to_parquet(place / "variants.parquet")
    cohort = {"fid": names, "iid": names, "sex": 1, "family": names, "fold": 0, "gwas_included": 1, "exclusion": ""}
    write_tsv(pd.DataFrame(cohort).assign(gwas_exclusion=""), place / "cohort.tsv")


def main() -> None:
    """Create the data, run the stage and append to the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("resources/benchmarks"))
    parser.add_argument("--samples", type=int, default=100_000)
    parser.add_argument("--variants", type=int, default=800_000)
    parser.add_argument("--stride", type=int, default=100)
    parser.add_argument("--table", type=Path, default=ROOT / "benchmarks/snps.tsv")
    arguments = parser.parse_args()
    what = {"n_samples": arguments.samples, "variants": arguments.variants, "stride": arguments.stride}
    place = arguments.folder.resolve() / "snps_n{samples}_m{variants}_k{stride}".format(**what)
    if not (place / "cohort.tsv").exists():
        write_data(place, **what)
    command = [sys.executable, "-c", STAGE, str(place), str(arguments.stride)]
    subprocess.run([*command, ""], check=True, cwd=ROOT)
    imports = int((place / "rchar").read_text())
    run = timed([*command, str(place / "snps.h5ad")])
    whole = int((place / "rchar").read_text())
    size = (place / "all.bed").stat().st_size
    found = row("contigwas", [run], **what, bed_gb=round(size / 1e9, 2), read_gb=round((whole - imports) / 1e9, 3))
    append([{**found, "read_share": round((whole - imports) / size, 4)}], arguments.table)
    sys.stdout.write(f"read {(whole - imports) / size:.2%} of the file's bytes\n")


if __name__ == "__main__":
    main()
