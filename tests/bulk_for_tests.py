"""A user's folder of sounds, and `kerascola embed --out NAME.parquet` in it."""

import os
from pathlib import Path

import numpy as np
import soundfile
from onnx_models import METADATA, write_statistics_model
from pyarrow import parquet

from kerascola.cli import main

RATE, WINDOW, HOP = METADATA.sample_rate, METADATA.window_samples, METADATA.hop_samples
LENGTHS = [20_000, 9000, 3000, 8000, 31_000, 12_345, 300, 16_000, 5000, 24_001]
PATHS = [f"sounds/{n}.wav" for n in range(len(LENGTHS))]


def sounds_in(folder: Path) -> Path:
    """model.onnx, sounds/0.wav to 9.wav, and gone.wav, which leads nowhere."""
    write_statistics_model(folder / "model.onnx")
    (folder / "gone.wav").symlink_to("nowhere.wav")
    (folder / "sounds").mkdir()
    for number, samples in enumerate(LENGTHS):
        sound = np.random.default_rng(number).uniform(-0.5, 0.5, samples)
        soundfile.write(folder / PATHS[number], sound, RATE, "FLOAT")
    return folder


def embed(*arguments: str, out: str = "e.parquet") -> int:
    return main(["embed", "model.onnx", *arguments, "--out", out])


def table(path: str = "e.parquet") -> dict:
    return parquet.read_table(path).to_pydict()


def shards(path: str = "e.parquet") -> list[str]:
    return sorted(os.listdir(path))
