"""Draw docs/figures/rulegraph.svg: the rules of the demo and their dependencies. Run by `make docs`. Needs Graphviz.

All rules that draw figures are one node. Edges that follow from others are removed (`tred` of Graphviz).
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rerun_dag import ROOT, Dag, building, read

TARGET = ROOT / "docs/figures/rulegraph.svg"
COLOURS = {
    "#e6e6e6": {"simulate"},
    "#cfe3f5": {"samples", "genotypes", "snps", "pgs", "burden", "images"},
    "#fbe2c0": {"training_inputs", "pretrain", "embed", "align"},
    "#d5ecd4": {"phenotypes", "gwas", "loci", "followup"},
    "#ecdcf3": {"plots", "explain", "downstream", "labels", "components", "evaluate", "report"},
}


def dot(dag: Dag) -> str:
    """Return the graph of the rules in the DOT language."""

    def name(rule: str) -> str:
        return "plots" if rule.startswith("plots_") else rule

    edges = {
        (name(one), name(rule))
        for (rule, _), needs in dag.needs_even_ancient.items()
        for one, _ in needs
        if name(one) != name(rule)
    }
    edges = {(one, other) for one, other in edges if not (other == "plots" and one.startswith("genotypes"))}
    nodes = sorted({name(rule) for rule, _ in dag.jobs})
    colour = {
        rule: shade for rule in nodes for shade, stages in COLOURS.items() if dag.stages.get(rule, rule) in stages
    }
    lines = [f'"{rule}" [fillcolor="{colour[rule]}"];' for rule in nodes]
    lines += [f'"{one}" -> "{other}";' for one, other in sorted(edges)]
    style = 'node [shape=box, style="rounded,filled", fontname="Helvetica", fontsize=11, color="#808080", height=0.3];'
    return (
        'digraph rules {ranksep=0.35; nodesep=0.2; edge [color="#808080", arrowsize=0.6];'
        + style
        + "".join(lines)
        + "}"
    )


def main() -> None:
    """Write the figure."""
    if not shutil.which("dot"):
        sys.exit("docs/rulegraph.py: Graphviz is not installed. On Debian: apt-get install graphviz")
    with (
        tempfile.TemporaryDirectory() as folder,
        building(Path(folder), ROOT / "config/config.yaml", ROOT / "Snakefile", ["all"], force=True) as workflow,
    ):
        graph = dot(read(workflow))
    reduced = subprocess.run(["tred"], input=graph, capture_output=True, text=True, check=True).stdout
    TARGET.write_bytes(subprocess.run(["dot", "-Tsvg"], input=reduced.encode(), capture_output=True, check=True).stdout)
    sys.stdout.write(f"{TARGET.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
