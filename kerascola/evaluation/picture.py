"""One picture of a pre-training: did the loss fall, do halves find each other, where do sounds lie?"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from kerascola.evaluation.retrieval import unit

LIGHT, DARK, ACCENT = "#c9ced6", "#2b2f36", "#1f6feb"
MATRIX = 60  # sounds shown in the similarity matrix


def report(
    path: str | Path,
    title: str,
    losses: list[float],
    chance_loss: float,
    similarity: np.ndarray,
    embeddings: np.ndarray,
    classes: list[str],
) -> None:
    """`similarity` [n, n] is of first against second halves; `embeddings` [2 n, d] first halves, then second.

    `classes` [n] colours the map and orders the matrix.
    """
    figure = Figure(figsize=(15, 5), layout="constrained")
    figure.suptitle(title, fontsize=13)
    curve, matrix, points = figure.subplots(1, 3)
    draw_losses(curve, losses, chance_loss)
    draw_matrix(matrix, similarity, classes)
    draw_map(points, embeddings, classes)
    figure.savefig(path, dpi=110)


def draw_losses(axes, losses: list[float], chance: float) -> None:
    axes.plot(np.arange(1, len(losses) + 1), losses, color=ACCENT, marker="o", markersize=4)
    axes.axhline(chance, color=DARK, linestyle=":", linewidth=1)
    axes.annotate("chance", (0.98, chance), xycoords=("axes fraction", "data"), ha="right", va="bottom")
    axes.set(title="Training loss", xlabel="epoch", ylabel="contrastive loss")
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.spines[["top", "right"]].set_visible(False)


def draw_matrix(axes, similarity: np.ndarray, classes: list[str]) -> None:
    """A sample of the sounds, evenly taken, class by class: a bright diagonal is what training is for."""
    by_class = np.argsort(classes, kind="stable")
    shown = by_class[np.linspace(0, len(by_class) - 1, min(MATRIX, len(by_class))).astype(int)]
    block = similarity[np.ix_(shown, shown)]
    image = axes.imshow(block, cmap="magma", vmin=np.percentile(block, 2), vmax=1, interpolation="nearest")
    axes.figure.colorbar(image, ax=axes, shrink=0.85, label="cosine")
    names = np.array(classes)[shown]
    kinds, starts, counts = np.unique(names, return_index=True, return_counts=True)
    axes.set_xticks([])
    axes.set_yticks(starts + (counts - 1) / 2, kinds)
    axes.set(title="First halves against second halves", xlabel=f"{len(shown)} of the held-out sounds")


def draw_map(axes, embeddings: np.ndarray, classes: list[str]) -> None:
    """Principal components; a line joins the two halves of a sound."""
    rows = unit(embeddings)  # what the cosine compares
    centred = rows - rows.mean(axis=0)
    _, scale, directions = np.linalg.svd(centred, full_matrices=False)
    xy = centred @ directions[:2].T
    share = (scale[:2] ** 2).sum() / (scale**2).sum()
    n = len(classes)
    axes.plot(*np.stack([xy[:n], xy[n:]]).transpose(2, 0, 1), color=LIGHT, linewidth=0.6, zorder=1)
    kinds = sorted(set(classes))
    for index, kind in enumerate(kinds):
        of_kind = np.tile(np.array(classes) == kind, 2)
        axes.scatter(*xy[of_kind].T, s=10, color=f"C{index}", label=kind, zorder=2)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=8, markerscale=2, frameon=False)
    axes.set(
        title="Held-out embeddings, two halves joined",
        xlabel=f"two principal components, {share:.0%} of the variance",
    )
    axes.set_xticks([])
    axes.set_yticks([])
