"""Views of a clip: which crops, and what is done to them before and after the front end."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from kerascola.augment import chain
from kerascola.augment import tensors as ops
from kerascola.augment.augmentation import Sound
from kerascola.augment.mixup import Mixup

Kind = Literal["random", "near", "same"]


@dataclass(frozen=True, kw_only=True)
class Views:
    """`count` crops of each clip: anywhere, within `distance` samples of the first, or the first again and again."""

    crop_samples: int
    count: int = 2
    kind: Kind = "random"
    distance: int = 0
    noise: float = 0.0  # standard deviation of what is added to all views but the first
    waveform: chain.Chain = ()
    spectrogram: chain.Chain = ()
    mixup: Mixup | None = None  # of whole views and their labels
    sound: Sound = Sound((0,))  # what the augmentations of waveforms are drawn for
    image: Sound = Sound((0, 0))  # what those of spectrograms are

    def draw(
        self, clip: np.ndarray, rng: np.random.Generator, generator: Callable[[int], np.random.Generator]
    ) -> dict[str, np.ndarray]:
        """The crops' `starts` [count], from `rng`, and each augmentation's parameters, from a generator of its own."""
        drawn = {"starts": self.starts(clip, rng)}
        drawn |= chain.draw(self.waveform, "waveform", self.sound, self.count, generator)
        drawn |= chain.draw(self.spectrogram, "spectrogram", self.image, self.count, generator)
        if self.mixup:
            mixed = self.mixup.draw(generator(zlib.crc32(b"mixup")))
            drawn |= {f"mixup.{name}": value for name, value in mixed.items()}
        return drawn

    def starts(self, clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A crop of nothing but zeros is drawn again, among those that hold something, if there are any."""
        last = len(clip) - self.crop_samples
        starts: list[int] = []
        for view in range(self.count):
            if view and self.kind == "same":
                starts.append(starts[0])
                continue
            near = view > 0 and self.kind == "near"
            low = max(0, starts[0] - self.distance) if near else 0
            high = min(last, starts[0] + self.distance) if near else last
            start = int(rng.integers(low, high, endpoint=True))
            if not clip[start : start + self.crop_samples].any():
                start = draw_again(clip, self.crop_samples, low, high, start, rng)
            starts.append(start)
        return np.array(starts, np.int32)

    def crops(self, clips, starts, apart: bool = False):
        """clips [n, samples], starts [n, count] -> [count * n, crop_samples], the first views of all clips first.

        `apart`: each view has a clip of its own, [count * n, samples].
        """
        if apart:
            return crop(clips, chain.merge_views(starts), self.crop_samples)
        return ops.concatenate([crop(clips, starts[:, view], self.crop_samples) for view in range(self.count)], axis=0)

    def waveforms(self, clips, batch, normal: chain.Normal, level: Callable | None = None, apart: bool = False):
        """Crops, brought to their `level` and changed as `batch` says; `normal(shape)` is noise from the backend."""
        sounds = self.crops(clips, batch["starts"], apart)
        sounds = chain.apply(self.waveform, "waveform", level(sounds) if level else sounds, batch, self.count, normal)
        if not self.noise:
            return sounds
        n = ops.shape(batch["starts"])[0]
        later = sounds[n:]
        return ops.concatenate([sounds[:n], later + self.noise * normal(ops.shape(later))], axis=0)

    def mixed(self, sounds, labels, batch):
        """Of one view: [n, samples] and shares of classes [n, classes], each with another's."""
        p = {name.removeprefix("mixup."): value for name, value in batch.items() if name.startswith("mixup.")}
        return self.mixup(sounds, labels, p) if self.mixup else (sounds, labels)

    def spectrograms(self, features, batch, normal: chain.Normal):
        return chain.apply(self.spectrogram, "spectrogram", features, batch, self.count, normal)


def crop(clips, starts, length: int):
    """clips [batch, samples], starts [batch] int -> [batch, length]; starts + length must not pass the end."""
    positions = ops.expand_dims(starts, -1) + ops.expand_dims(ops.arange(length, dtype="int32"), 0)
    return ops.take_along_axis(clips, positions, axis=1)


def draw_again(clip: np.ndarray, length: int, low: int, high: int, start: int, rng: np.random.Generator) -> int:
    """One of the starts from `low` to `high` whose crop is not all zeros; `start` if there is none."""
    heard = np.concatenate([[0], np.cumsum(clip != 0)])
    good = low + np.flatnonzero(heard[low + length : high + length + 1] > heard[low : high + 1])
    return int(rng.choice(good)) if len(good) else start
