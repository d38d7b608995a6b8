"""The views of one clip as a training step makes them, to look at and to listen to."""

import functools
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import soundfile
from keras import ops
from matplotlib.figure import Figure

from kerascola.audio.read import duration, read
from kerascola.data.draws import collate, generator
from kerascola.data.pipeline import example
from kerascola.dsp.windows import taper
from kerascola.frontends.frontend import features
from kerascola.recipes.schema import Recipe
from kerascola.training.assembly import level_of

WINDOW, RANGE_DB = 512, 80


@dataclass(frozen=True)
class View:
    text: str  # what was drawn for it
    before: np.ndarray  # the crop
    after: np.ndarray  # augmented
    features: np.ndarray  # [frames, bands], or nothing where the encoder takes waveforms
    augmented: np.ndarray


@dataclass(frozen=True)
class Preview:
    title: str
    sample_rate: int
    views: list[View]


def preview(recipe: Recipe, files: Sequence[str | Path], seed: int = 0) -> Preview:
    """Of the first file; the others are with it in the batch, as what may be mixed in."""
    views, spec = recipe.augmented_views(), recipe.frontend
    batch = collate([drawn(recipe, path, seed, index) for index, path in enumerate(files)])
    tensors = {name: ops.convert_to_tensor(value) for name, value in batch.items()}
    noise = keras.random.SeedGenerator(seed)
    n = len(files)

    def normal(shape):
        return keras.random.normal(shape, dtype="float32", seed=noise)

    def of_the_first(x) -> np.ndarray:
        array = np.asarray(ops.convert_to_numpy(x))[::n]
        return array[..., 0] if array.ndim == 4 else array  # of several channels the first

    to_level = level_of(recipe)
    clips = to_level(tensors["clips"]) if recipe.views.level == "clip" else tensors["clips"]
    crop_level = to_level if recipe.views.level == "crop" else None
    before = views.crops(clips, tensors["starts"])
    before = crop_level(before) if crop_level else before
    after = views.waveforms(clips, tensors, normal, crop_level)
    make = features(spec)
    plain, changed = make(after), views.spectrograms(make(after), tensors, normal)
    rows = zip(*map(of_the_first, (before, after, plain, changed)), strict=True)
    return Preview(
        f"{Path(files[0]).name}, as {recipe.name} trains on it",
        spec.sample_rate,
        [View(described(recipe, batch, view), *row) for view, row in enumerate(rows)],
    )


def drawn(recipe: Recipe, path: str | Path, seed: int, index: int) -> dict[str, np.ndarray]:
    rng, seconds = generator(seed, 0, index), recipe.data.clip_seconds
    start = rng.random() * max(0.0, duration(path) - seconds)
    sound = read(path, recipe.frontend.sample_rate, start=start, seconds=seconds)
    return example(
        sound, recipe.clip_samples, recipe.augmented_views(), rng, functools.partial(generator, seed, 0, index)
    )


def described(recipe: Recipe, batch: dict[str, np.ndarray], view: int) -> str:
    """What was drawn for a view of the first clip, in a line."""
    start = batch["starts"][0, view] / recipe.frontend.sample_rate
    parts = [f"crop from {start:.2f} s"]
    if view and recipe.views.noise:
        parts.append(f"noise {recipe.views.noise:g}")
    for place, chain in (("waveform", recipe.views.waveform), ("spectrogram", recipe.views.spectrogram)):
        on = [augmentation.name for i, augmentation in enumerate(chain) if batch[f"{place}.{i}.on"][0, view]]
        if chain:
            parts.append(f"{place}: {', '.join(on) or 'nothing'}")
    return "; ".join(parts)


def write_wavs(found: Preview, picture: Path) -> list[Path]:
    """Beside the picture, all of them louder or quieter alike, so that they compare."""
    loudest = max(float(np.abs(sound).max()) for view in found.views for sound in (view.before, view.after))
    paths = []
    for number, view in enumerate(found.views, 1):
        for name, sound in (("before", view.before), ("after", view.after)):
            path = picture.with_name(f"{picture.stem}-{number}-{name}.wav")
            soundfile.write(path, 0.9 * sound / max(loudest, 1e-9), found.sample_rate)
            paths.append(path)
    return paths


def draw(found: Preview, path: Path) -> None:
    """A row a view: the crop, the crop augmented, what the front end makes of it, and that augmented."""
    images = found.views[0].features.ndim == 2
    titles = ["crop", "augmented", *(["front end", "augmented"] if images else [])]
    figure = Figure(figsize=(3.6 * len(titles), 0.6 + 3.1 * len(found.views)), layout="constrained")
    figure.suptitle(found.title, fontsize=13)
    loudest = max(decibels(sound).max() for view in found.views for sound in (view.before, view.after))
    parts = figure.subfigures(len(found.views), 1, squeeze=False)[:, 0]
    for number, (part, view) in enumerate(zip(parts, found.views, strict=True), 1):
        part.suptitle(textwrap.fill(f"view {number}: {view.text}", 130), fontsize=9)
        row = part.subplots(1, len(titles))
        seconds = len(view.before) / found.sample_rate
        for axes, sound in zip(row, (view.before, view.after), strict=False):
            axes.imshow(
                decibels(sound).T,
                origin="lower",
                aspect="auto",
                cmap="magma",
                vmin=loudest - RANGE_DB,
                vmax=loudest,
                extent=(0, seconds, 0, found.sample_rate / 2000),
            )
            axes.set(xlabel="s", ylabel="kHz")
        if images:
            low, high = view.features.min(), view.features.max()
            for axes, image in zip(row[2:], (view.features, view.augmented), strict=True):
                axes.imshow(image.T, origin="lower", aspect="auto", cmap="viridis", vmin=low, vmax=high)
                axes.set(xlabel="frame", ylabel="band")
        for axes, title in zip(row, titles, strict=True):
            axes.set_title(title, fontsize=10)
    figure.savefig(path, dpi=110)


def decibels(sound: np.ndarray) -> np.ndarray:
    """[frames, bins]"""
    padded = np.pad(sound, WINDOW // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[:: WINDOW // 4]
    return 20 * np.log10(np.abs(np.fft.rfft(frames * taper("hann", WINDOW))) + 1e-9)
