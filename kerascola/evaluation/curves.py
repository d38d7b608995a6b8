"""The picture of a training: how its numbers went from epoch to epoch."""

from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

COLOUR, VALID = "#1f6feb", "#d1242f"
PANELS = {
    "loss": "loss",
    "accuracy": "share of right answers: the other view, or the class",
    "effective_rank": "effective rank of the embeddings: 1 when collapsed",
    "uniformity": "uniformity: 0 when collapsed",
    "alignment": "distance of two views of a clip",
}


def draw_training(path: str | Path, title: str, history: list[dict[str, float]]) -> None:
    shown = {name: about for name, about in PANELS.items() if history and name in history[0]}
    figure = Figure(figsize=(4.2 * max(len(shown), 1), 3.6), layout="constrained")
    figure.suptitle(title)
    for axes, (name, about) in zip(
        figure.subplots(1, max(len(shown), 1), squeeze=False)[0], shown.items(), strict=False
    ):
        epochs = [row["epoch"] for row in history]
        axes.plot(epochs, [row[name] for row in history], color=COLOUR, marker="o" if len(epochs) < 40 else "")
        if f"valid_{name}" in history[0]:
            axes.plot(epochs, [row[f"valid_{name}"] for row in history], color=VALID, linestyle="--", label="valid")
            axes.legend(frameon=False)
        axes.set_title(about, fontsize=9)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)
