"""Whether a run is collapsing, while it runs."""

from collections.abc import Callable

import numpy as np
from keras import ops

from kerascola.objectives import health

EVERY = 50  # steps
SPREAD = 0.02  # of directions that lie anywhere: below, all clips get the same embedding but for a hundredth
RANK = 1.5  # of the dimensions in which embeddings differ: below, they lie on a line
PATIENCE = 3  # looks in a row


class Watch:
    """`watch(views, step)` measures embeddings [k, n, d], and says so once when they have collapsed."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say, self.bad, self.said = say, 0, False

    def __call__(self, views, step: int) -> dict[str, float]:
        found = measures(views)
        spread, rank = found["deviation"] * np.sqrt(views.shape[-1]), found["effective_rank"]
        self.bad = self.bad + 1 if spread < SPREAD or (rank < RANK and views.shape[1] > 4) else 0
        if self.bad >= PATIENCE and not self.said:
            self.said = True
            self.say(
                f"this run has collapsed, at step {step}: embeddings of different clips are nearly the same (spread "
                f"{spread:.3f} of 1, effective rank {rank:.1f}). Try a smaller optimizer.learning_rate, a longer "
                "schedule.warmup_epochs or a larger batch"
            )
        return found


def measures(views) -> dict[str, float]:
    first = views[0]
    found = {
        "uniformity": health.uniformity(first),
        "effective_rank": health.effective_rank(first),
        "deviation": health.deviation(first),
    }
    if views.shape[0] > 1:
        found = {"alignment": health.alignment(first, views[1]), **found}
    return {name: float(ops.convert_to_numpy(value)) for name, value in found.items()}
