"""Windows of many clips -> full batches of equal length."""

from collections.abc import Iterator

import numpy as np

Batch = list[tuple[int, np.ndarray]]  # (index of the clip, its window), all windows of one length

MOST_BATCHES = 4  # batches' worth of windows that may wait, over all lengths together


class Packing:
    """Holds windows back until there is a batch of their length."""

    def __init__(self, batch_size: int) -> None:
        self.batch_size = batch_size
        self.waiting: dict[int, Batch] = {}  # by length, the length that has waited longest first
        self.count = 0

    def add(self, index: int, window: np.ndarray) -> Batch | None:
        """A batch to run, once there is one."""
        group = self.waiting.setdefault(len(window), [])
        group.append((index, window.copy()))  # a view would keep the whole clip in memory
        self.count += 1
        if len(group) == self.batch_size:
            return self._take(len(window))
        if self.count == MOST_BATCHES * self.batch_size:
            return self._take(next(iter(self.waiting)))
        return None

    def rest(self) -> Iterator[Batch]:
        while self.waiting:
            yield self._take(next(iter(self.waiting)))

    def _take(self, length: int) -> Batch:
        batch = self.waiting.pop(length)
        self.count -= len(batch)
        return batch
