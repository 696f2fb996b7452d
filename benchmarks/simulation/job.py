import sys
from pathlib import Path

sys.path.insert(0, snakemake.scriptdir)
import cells

study, names, output = snakemake.params.study, snakemake.wildcards, Path(snakemake.output[0]).resolve()
setting = names.get("setting") or study["calibration"]["setting"]
folder = Path("data", setting, names.seed).resolve()
if snakemake.rule == "cohort":
    cells.make_cohort(study, setting, int(names.seed), folder, output)
elif snakemake.rule == "power":
    cells.power(study, setting, int(names.seed), names.cell, folder, output)
elif snakemake.rule == "memorised":
    cells.memorised(study, int(names.seed), folder, output)
else:
    cells.null(study, int(names.seed), int(names.permutation), folder, output)
