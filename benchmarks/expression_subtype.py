"""Subtypes of real tumours from gene expression: gene encoders of MGI compared with logistic regression.

    python benchmarks/expression_subtype.py --data DATA

150 breast tumours of TCGA (mixOmics), 200 genes, three subtypes. Five times five-fold stratified cross-validation.
Everything is fitted on the training samples of a fold: z-scores, principal components, their number and the penalty (by
inner cross-validation), and the encoders, each with a linear head on its pooled tokens. The settings of the encoders
are one choice, made before any score was computed (tokens of eight genes and forty epochs, because Mamba is slow on a
CPU). A repeat gives every sample one prediction by a model that did not train on it. Values are means over the repeats,
with 95 % intervals from a bootstrap over samples. `least` and `most` are the minimum and maximum over repeats.
`difference` is relative to logistic regression on principal components, with the same samples in every resample.
Writes benchmarks/expression_subtype.tsv.
"""

import argparse
import os
import platform
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.stats import rankdata
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits
from torch import nn
from torch.nn import functional
from tqdm import tqdm

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from contigwas.expression import write_expression  # noqa: E402
from contigwas.pretrain.normalise import fit  # noqa: E402
from contigwas.pretrain.sequence import GeneEncoder  # noqa: E402
from contigwas.runtime.atomic_files import write_tsv  # noqa: E402
from contigwas.tables.anndata_io import read_modality  # noqa: E402

BASELINE = "logistic regression on components"
REPEATS, FOLDS, INSIDE = 5, 5, 5
COMPONENTS, PENALTIES = [5, 10, 20, 50], [0.001, 0.01, 0.1, 1.0, 10.0]
EACH, WIDTH, DEPTH, DROPOUT, CORRUPTION = 8, 32, 2, 0.2, 0.2  # of an encoder,
EPOCHS, BATCH, RATE, DECAY = 40, 32, 2e-3, 0.05  # and of its training
DRAWS = 2000


def load(data: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return expression, float32 (samples, genes) in genomic order, as the stage writes it, and subtypes, int64."""
    path = data / "expression" / "tcga_brca_mrna_train.csv"
    subtypes = pd.read_csv(path, index_col="sample")["subtype"]
    samples = pd.DataFrame({"fid": subtypes.index, "iid": subtypes.index, "sex": 0, "family": "f", "fold": 0})
    with tempfile.TemporaryDirectory() as folder:
        cohort, output = Path(folder, "cohort.tsv"), Path(folder, "expression.h5ad")
        write_tsv(samples.assign(gwas_included=1, exclusion="", gwas_exclusion=""), cohort)
        settings = {"scale": "log", "id": "sample", "drop": ["subtype"]}
        write_expression(path, data / "genes" / "glist-hg19.txt", cohort, settings, output)
        modality = read_modality(output)
    return modality.X, pd.Categorical(subtypes.loc[modality.obs_names]).codes.astype(np.int64)


def regression(components: bool) -> GridSearchCV:
    """Return a logistic regression on z-scores or their PCs, with settings chosen within the training samples."""
    steps = [StandardScaler(), *([PCA(random_state=0)] if components else [])]
    model = make_pipeline(*steps, LogisticRegression(class_weight="balanced", max_iter=2000))
    grid = {"logisticregression__C": PENALTIES} | ({"pca__n_components": COMPONENTS} if components else {})
    inside = StratifiedKFold(INSIDE, shuffle=True, random_state=0)
    return GridSearchCV(model, grid, scoring="balanced_accuracy", cv=inside)


class Encoded:
    """A gene encoder with a linear head, trained on the subtype."""

    def __init__(self, kind: str, seed: int) -> None:
        self.kind, self.seed = kind, seed

    def fit(self, values: np.ndarray, labels: np.ndarray) -> "Encoded":
        torch.manual_seed(self.seed)
        raw, wanted = torch.from_numpy(values), torch.from_numpy(labels)
        self.encoder = GeneEncoder(
            fit("expression", raw), self.kind, EACH, WIDTH, DEPTH, WIDTH, WIDTH, DROPOUT, CORRUPTION
        )
        self.head = nn.Linear(WIDTH, int(wanted.max()) + 1)
        weight = len(wanted) / (len(wanted.unique()) * torch.bincount(wanted).float())
        parameters = [*self.encoder.tokenise.parameters(), *self.encoder.blocks.parameters(), *self.head.parameters()]
        optimizer = torch.optim.AdamW(parameters, lr=RATE, weight_decay=DECAY)
        steps = EPOCHS * (len(raw) // BATCH)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
        for _ in range(EPOCHS):
            for chosen in torch.randperm(len(raw)).split(BATCH)[: len(raw) // BATCH]:
                optimizer.zero_grad()
                functional.cross_entropy(self._scores(raw[chosen]), wanted[chosen], weight).backward()
                optimizer.step()
                schedule.step()
        return self

    def _scores(self, raw: torch.Tensor) -> torch.Tensor:
        return self.head(self.encoder.tokens(raw).mean(dim=1))

    @torch.no_grad()
    def predict_proba(self, values: np.ndarray) -> np.ndarray:
        self.encoder.eval()
        return self._scores(torch.from_numpy(values)).softmax(dim=1).numpy()


def arms(seed: int) -> dict[str, object]:
    """Return the compared models, not yet fitted."""
    regressions = {BASELINE: regression(True), "logistic regression on z-scores": regression(False)}
    return regressions | {kind: Encoded(kind, seed) for kind in ("mamba", "transformer", "mlp")}


def predictions(values: np.ndarray, labels: np.ndarray) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Return probabilities (repeats, samples, classes) of models not trained on the sample, and seconds, by arm."""
    classes = labels.max() + 1
    found = {name: np.zeros((REPEATS, len(labels), classes)) for name in arms(0)}
    seconds = dict.fromkeys(found, 0.0)
    for repeat in tqdm(range(REPEATS)):
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=repeat)
        for fold, (train, test) in enumerate(folds.split(values, labels)):
            for name, model in arms(FOLDS * repeat + fold).items():
                start = time.perf_counter()
                found[name][repeat, test] = model.fit(values[train], labels[train]).predict_proba(values[test])
                seconds[name] += time.perf_counter() - start
    return found, seconds


def balanced_accuracy(labels: np.ndarray, chances: np.ndarray) -> float:
    """The mean over classes of the fraction of their samples that is predicted correctly."""
    right = chances.argmax(axis=1) == labels
    return float(np.mean([right[labels == one].mean() for one in np.unique(labels)]))


def macro_auroc(labels: np.ndarray, chances: np.ndarray) -> float:
    """The mean over classes of the area under the curve of one against the others, by ranks."""
    ranks, areas = rankdata(chances, axis=0), []
    for one in np.unique(labels):
        inside = labels == one
        pairs = inside.sum() * (~inside).sum()
        areas.append((ranks[inside, one].sum() - inside.sum() * (inside.sum() + 1) / 2) / pairs)
    return float(np.mean(areas))


METRICS = {"balanced accuracy": balanced_accuracy, "macro AUROC": macro_auroc}


def table(labels: np.ndarray, found: dict[str, np.ndarray], seconds: dict[str, float]) -> pd.DataFrame:
    """Return one row per arm and metric."""
    rng = np.random.default_rng(0)
    draws = [rng.integers(len(labels), size=len(labels)) for _ in range(DRAWS)]
    draws = [draw for draw in draws if len(np.unique(labels[draw])) == labels.max() + 1]
    rows = []
    for metric, score in METRICS.items():
        drawn = {
            name: np.array([np.mean([score(labels[draw], one[draw]) for one in chances]) for draw in draws])
            for name, chances in tqdm(found.items())
        }
        means = {name: [score(labels, one) for one in chances] for name, chances in found.items()}
        for name, own in means.items():
            low, high = np.quantile(drawn[name], [0.025, 0.975])
            row = {"arm": name, "metric": metric, "value": np.mean(own), "low": low, "high": high}
            row |= {"least": min(own), "most": max(own)}
            if name != BASELINE:
                low, high = np.quantile(drawn[name] - drawn[BASELINE], [0.025, 0.975])
                row |= {"difference": np.mean(own) - np.mean(means[BASELINE])}
                row |= {"difference_low": low, "difference_high": high}
            rows.append(row | {"seconds": round(seconds[name])})
    return pd.DataFrame(rows).round(4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared" / "data")
    parser.add_argument("--output", type=Path, default=HERE / "expression_subtype.tsv")
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # networks as small as these only wait for a second one
    values, labels = load(arguments.data)
    with threadpool_limits(1):
        result = table(labels, *predictions(values, labels))
    result["n_samples"], result["genes"] = values.shape
    result["machine"] = f"{os.cpu_count()} cores, {platform.machine()}, CPU only"
    result["date"] = str(date.today())
    write_tsv(result, arguments.output)
    sys.stdout.write(result.to_string(index=False) + "\n")


if __name__ == "__main__":
    main()
