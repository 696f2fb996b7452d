"""Time and memory of the gene encoders of MGI by sequence length: 1,024 to 32,768 tokens.

Every pair of encoder and length runs in its own process: forward and backward pass of the expression of one sample, one
gene per token. Memory is the peak of the process minus its memory before the first pass. Times are the minimum of three
passes (one pass from 8,192 tokens on), after one pass that is not counted: CPU seconds, which other load on the machine
hardly changes, and wall seconds. `attention` is the transformer without fused attention, which stores every pair of
tokens.

    python benchmarks/gene_encoders.py            # writes benchmarks/gene_encoders.tsv
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import threading
import time
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
KINDS = ["mamba", "transformer", "attention", "mlp"]
LENGTHS = [1024, 2048, 4096, 8192, 16384, 32768]
WIDTH, DEPTH, THREADS = 64, 2, 2
PASSES, LONG = 3, 8192  # passes that are timed; from so many tokens on it is one
MOST = 14 * 2**30  # bytes of address space that a process may take: what needs more is left empty in the table


def resident() -> int:
    """Return the resident memory of this process in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def one(kind: str, length: int) -> dict[str, float]:
    """Return the seconds and bytes of a forward and backward pass."""
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel

    from contigwas.pretrain.normalise import Normaliser
    from contigwas.pretrain.sequence import GeneEncoder

    resource.setrlimit(resource.RLIMIT_AS, (MOST, MOST))
    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    normaliser = Normaliser(torch.arange(length), torch.zeros(length), torch.ones(length))
    own = "transformer" if kind == "attention" else kind
    encoder = GeneEncoder(normaliser, own, 1, WIDTH, DEPTH, 128, 128)
    values = torch.randn(1, length)
    before, peak, done = resident(), 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.005):
            peak = max(peak, resident())

    watcher = threading.Thread(target=watch, daemon=True)  # an error ends the process
    watcher.start()
    spent, clock = [], []
    backends = [SDPBackend.MATH] if kind == "attention" else [SDPBackend.FLASH_ATTENTION, SDPBackend.MATH]
    with sdpa_kernel(backends, set_priority=True):
        for _ in range(1 + (PASSES if length < LONG else 1)):
            cpu, wall = time.process_time(), time.perf_counter()
            encoder(values).square().sum().backward()
            spent.append(time.process_time() - cpu)
            clock.append(time.perf_counter() - wall)
    done.set()
    watcher.join()
    peak = max(peak, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
    return {"cpu_seconds": min(spent[1:]), "seconds": min(clock[1:]), "MiB": (peak - before) / 2**20}


def crossing(table: pd.DataFrame, column: str, other: str) -> float:
    """Return the length from which mamba needs less, by log-log interpolation; NaN if there is none."""
    wide = table.pivot(index="tokens", columns="encoder", values=column)[["mamba", other]].dropna()
    gap = np.log(wide["mamba"]) - np.log(wide[other])
    lengths = np.log(wide.index.to_numpy(float))
    for place in range(1, len(gap)):
        if gap.iloc[place - 1] > 0 >= gap.iloc[place]:
            share = gap.iloc[place - 1] / (gap.iloc[place - 1] - gap.iloc[place])
            return float(np.exp(lengths[place - 1] + share * (lengths[place] - lengths[place - 1])))
    return float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--one", nargs=2, metavar=("ENCODER", "TOKENS"), help="measure one pair, as JSON")
    parser.add_argument("--output", type=Path, default=HERE / "gene_encoders.tsv")
    arguments = parser.parse_args()
    if arguments.one:
        sys.stdout.write(json.dumps(one(arguments.one[0], int(arguments.one[1]))) + "\n")
        return
    rows = []
    for length in LENGTHS:
        for kind in KINDS:
            command = [sys.executable, __file__, "--one", kind, str(length)]
            ran = subprocess.run(command, capture_output=True, text=True, check=False)
            found = json.loads(ran.stdout) if ran.returncode == 0 else {}  # more memory than MOST
            rows.append({"encoder": kind, "tokens": length, **found})
            sys.stderr.write(f"{rows[-1]}\n")
    table = pd.DataFrame(rows)
    table["machine"], table["date"] = f"{os.cpu_count()} cores, {platform.machine()}, CPU only", str(date.today())
    table.round(3).to_csv(arguments.output, sep="\t", index=False)
    for column in ("cpu_seconds", "MiB"):
        for other in ("transformer", "attention"):
            sys.stdout.write(
                f"mamba needs less {column} than {other} from {crossing(table, column, other):.0f} tokens\n"
            )


if __name__ == "__main__":
    main()
