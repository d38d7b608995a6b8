"""The peer of `throughput.py` and `embed_corpus.py`: librosa and an EfficientNet-B0 in PyTorch, as usually written.

    python benchmarks/usual_pipeline.py FOLDER OUT.npy

embeds a folder: file after file, its seconds at most 32 at a time, the mean of each file's.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import librosa
import numpy as np
import torch
from plain_pytorch import efficientnet

RATE = 16000
MEL = {"sr": RATE, "n_fft": 1024, "win_length": 400, "hop_length": 160, "n_mels": 64, "center": False}
BATCH = 32


def log_mels(waves: np.ndarray) -> torch.Tensor:
    """[batch, samples] -> [batch, 1, 64, frames]"""
    found = [np.log(np.maximum(librosa.feature.melspectrogram(y=wave, **MEL), 1e-5)) for wave in waves]
    return torch.from_numpy(np.stack(found))[:, None]


def network(threads: int) -> Callable[[torch.Tensor], np.ndarray]:
    """log-mels -> [batch, 1280]"""
    torch.set_num_threads(threads)
    encoder = efficientnet().eval()

    def run(mels: torch.Tensor) -> np.ndarray:
        with torch.inference_mode():
            return encoder(mels).amax((2, 3)).numpy()

    return run


def main(folder: str, out: str) -> None:
    run = network(len(os.sched_getaffinity(0)))
    embeddings = []
    for path in sorted(Path(folder).iterdir()):
        wave, _ = librosa.load(path, sr=RATE)
        seconds = np.pad(wave, (0, -len(wave) % RATE)).reshape(-1, RATE)
        batches = [run(log_mels(seconds[i : i + BATCH])) for i in range(0, len(seconds), BATCH)]
        embeddings.append(np.concatenate(batches).mean(axis=0))
    np.save(out, embeddings)


if __name__ == "__main__":
    main(*sys.argv[1:])
