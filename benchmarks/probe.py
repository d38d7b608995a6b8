"""How long does a linear probe take, with the choice of C by five folds, beside scikit-learn's?

    python benchmarks/probe.py [--rounds 1] [--only "10 classes, 512"]

Synthetic embeddings: dimensions that depend on each other, with variances that fall as a power, and classes of several
clusters that overlap. The probe is `evaluation.linear.logistic` on raw float32 embeddings; the peer gets them
standardised beforehand, with the same folds and the same four values of C: `LogisticRegressionCV`, or a search over
one regression a label, of 100 iterations at most, which is its default, and of 3000, where its own tolerance ends it.
Each in a process of its own, bound to one core, by turns; a figure is the median of the rounds. Seconds are of
processor time. The score is of 20,000 other rows: accuracy, or the mean average precision of several labels.
Writes benchmarks/results/probe.csv and .png; with --only it prints alone.
"""

import argparse
import json
import os
import subprocess
import sys
import time
import warnings
from pathlib import Path
from statistics import median

import numpy as np
from machine import machine, write_table
from sklearn.metrics import average_precision_score

from kerascola.evaluation.linear import CS, logistic

RESULTS = Path(__file__).parent / "results"
TESTED = 20_000
DATA = {  # rows to train on, dimensions, classes, several labels a row?
    "10 classes, 512": (100_000, 512, 10, False),
    "10 classes, 1280": (20_000, 1280, 10, False),
    "50 classes, 512": (20_000, 512, 50, False),
    "20 labels, 512": (10_000, 512, 20, True),
}
PEERS = {
    "kerascola": 0,
    "scikit-learn, 100": 100,
    "scikit-learn, 3000": 3000,
}  # iterations at most; ours ends by itself
TAKE_TOO_LONG = {("10 classes, 1280", "scikit-learn, 3000"), ("50 classes, 512", "scikit-learn, 3000")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=list(DATA), help="some of the data")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        return print(json.dumps(measured(*args.worker)))
    rows = []
    for data in args.only or DATA:
        names = [name for name in PEERS if (data, name) not in TAKE_TOO_LONG]
        found: dict[str, list[dict]] = {name: [] for name in names}
        for _ in range(args.rounds):
            for name in names:
                found[name].append(asked(data, name))
                print(data, name, found[name][-1], flush=True)
        for name, runs in found.items():
            seconds = median(run["seconds"] for run in runs)
            rows.append({"data": data, "rows": DATA[data][0], "probe": name, **runs[0], "seconds": f"{seconds:.1f}"})
    if not args.only:
        about = f"one core; C of {', '.join(map('{:g}'.format, CS))} by 5 folds; seconds of processor time"
        write_table(RESULTS / "probe.csv", machine(about), rows, list(rows[0]))
        draw(rows, RESULTS / "probe.png")


def asked(data: str, name: str) -> dict:
    one = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, __file__, "--worker", data, name],
        env={**os.environ, **one},
        text=True,
        stdout=subprocess.PIPE,
        check=True,
        preexec_fn=lambda: os.sched_setaffinity(0, {max(os.sched_getaffinity(0))}),
    )
    return json.loads(done.stdout)


def measured(data: str, name: str) -> dict:
    n, d, classes, several = DATA[data]
    x, labels = embeddings(n + TESTED, d, classes, several)
    folds = np.random.default_rng(1).permutation(n) % 5
    fit = search if several else cross_validated
    z = x if name == "kerascola" else standardised(x, n)
    began = time.process_time()
    if name == "kerascola":
        probe = logistic(x[:n], labels[:n], CS, folds)
        seconds = time.process_time() - began
        scores, told = probe.logits(x[n:]), {"C": probe.c, "iterations": probe.iterations}
        told["converged"] = "all" if probe.converged else "not all"
    else:
        predict, told = fit(z[:n], labels[:n], folds, PEERS[name])
        seconds = time.process_time() - began
        scores = predict(z[n:])
    right = labels[n:]
    score = average_precision_score(right, scores) if several else (scores.argmax(axis=1) == right).mean()
    return {"seconds": seconds, "score": f"{score:.4f}", **told}


def cross_validated(z, labels, folds, most: int):
    from sklearn.linear_model import LogisticRegressionCV
    from sklearn.model_selection import PredefinedSplit

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what did not converge, which is counted
        fitted = LogisticRegressionCV(Cs=CS, cv=PredefinedSplit(folds), scoring="accuracy", max_iter=most).fit(
            z, labels
        )
    steps = np.ravel(fitted.n_iter_)
    told = {"C": float(np.ravel(fitted.C_)[0]), "iterations": int(steps.max())}
    return fitted.decision_function, {**told, "converged": f"{(steps < most).sum()} of {steps.size}"}


def search(z, labels, folds, most: int):
    """One C for all labels, as ours has."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, PredefinedSplit
    from sklearn.multiclass import OneVsRestClassifier

    each = OneVsRestClassifier(LogisticRegression(max_iter=most))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = GridSearchCV(each, {"estimator__C": CS}, scoring="average_precision", cv=PredefinedSplit(folds))
        fitted.fit(z, labels)
    steps = np.array([one.n_iter_[0] for one in fitted.best_estimator_.estimators_])
    told = {"C": fitted.best_params_["estimator__C"], "iterations": int(steps.max())}
    return fitted.decision_function, {**told, "converged": f"{(steps < most).sum()} of the last {steps.size}"}


def standardised(x: np.ndarray, n: int) -> np.ndarray:
    mean, deviation = x[:n].mean(axis=0, dtype=np.float64), x[:n].std(axis=0, dtype=np.float64)
    return ((x - mean) / deviation).astype(np.float32)


def embeddings(n: int, d: int, classes: int, several: bool) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    falling = np.arange(1, d + 1)
    spread = falling**-0.8
    turned, _ = np.linalg.qr(rng.standard_normal((d, d)))
    kinds = rng.choice(classes, n, p=rng.dirichlet(np.full(classes, 3.0)))
    clusters = (rng.standard_normal((classes, 4, d)) + rng.standard_normal((classes, 1, d))) * falling**-0.35
    inner = rng.standard_normal((n, d), dtype=np.float32) + 0.6 * clusters[kinds, rng.integers(0, 4, n)].astype(
        np.float32
    )
    outer = (inner * spread / np.sqrt((spread**2).mean())).astype(np.float32) @ turned.astype(np.float32)
    x = np.maximum(outer, 0.1 * outer)
    if not several:
        return x, kinds
    leaning = inner @ (rng.standard_normal((d, classes)) * falling[:, None] ** -0.7) + 2 * rng.standard_normal(
        (n, classes)
    )
    return x, leaning > np.quantile(leaning, 1 - np.geomspace(0.3, 0.02, classes), axis=0).diagonal()


def draw(rows: list[dict], path: Path) -> None:
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(row["data"] for row in rows))
    figure = Figure(figsize=(8, 1.2 + 0.9 * len(names)), layout="constrained")
    axes = figure.subplots()
    for place, (probe, most) in enumerate(PEERS.items()):
        its = [row for row in rows if row["probe"] == probe]
        heights = [names.index(row["data"]) + 0.26 * (place - 1) for row in its]
        seconds = [float(row["seconds"]) for row in its]
        bars = axes.barh(heights, seconds, 0.24, label=f"{probe} iterations" if most else probe)
        axes.bar_label(bars, [f" {row['seconds']} s, score {row['score']}" for row in its], fontsize=8)
    axes.set_yticks(range(len(names)), [f"{name}\n{DATA[name][0]:,} rows" for name in names])
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlim(right=8 * max(float(row["seconds"]) for row in rows))
    axes.set(xlabel="seconds on one core", title="A linear probe, C chosen by five folds")
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
