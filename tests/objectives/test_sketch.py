import contracts
import numpy as np
import pytest
from keras import ops

from kerascola.objectives.sketch import Sketch


def by_loops(spectrograms, frames, bands):
    """[rows, values]: each block's mean, in the order in which a spectrogram is read."""
    found = []
    for image in spectrograms:
        blocks = [
            image[t : t + frames, b : b + bands].mean(axis=(0, 1))
            for t in range(0, image.shape[0] - frames + 1, frames)
            for b in range(0, image.shape[1] - bands + 1, bands)
        ]
        found.append(np.ravel(blocks))
    return np.array(found)


@pytest.mark.parametrize(("shape", "frames", "bands"), [((9, 6), 4, 3), ((8, 5), 8, 2), ((4, 4, 3), 2, 2)])
def test_it_is_the_share_that_a_linear_layer_does_not_tell(shape, frames, bands):
    rng = np.random.default_rng(0)
    spectrograms = rng.normal(size=(7, *shape)).astype(np.float32)
    embeddings = rng.normal(size=(7, 5)).astype(np.float32)
    wanted = by_loops(spectrograms.astype(np.float64), frames, bands)
    sketch = Sketch(frames, bands)
    sketch.build(spectrograms.shape, embeddings.shape)
    kernel, bias = rng.normal(size=(5, wanted.shape[1])), rng.normal(size=wanted.shape[1])
    sketch.teller.set_weights([kernel, bias])
    found = float(contracts.numbers(sketch(spectrograms, embeddings)))
    off = ((embeddings @ kernel + bias - wanted) ** 2).mean()
    assert found == pytest.approx(off / ((wanted - wanted.mean(axis=0)) ** 2).mean(), rel=1e-4)


def test_the_mean_alone_is_one_and_all_of_it_is_nothing():
    rng = np.random.default_rng(1)
    spectrograms = rng.normal(size=(6, 4, 4)).astype(np.float32)
    wanted = by_loops(spectrograms, 2, 2)
    sketch = Sketch(2, 2)
    sketch.build(spectrograms.shape, wanted.shape)
    sketch.teller.set_weights([np.zeros((4, 4)), wanted.mean(axis=0)])
    assert float(contracts.numbers(sketch(spectrograms, wanted))) == pytest.approx(1.0, abs=1e-4)
    sketch.teller.set_weights([np.eye(4), np.zeros(4)])
    assert float(contracts.numbers(sketch(spectrograms, wanted))) == pytest.approx(0.0, abs=1e-6)


def test_silence_alone_is_finite():
    sketch = Sketch(2, 2)
    assert np.isfinite(contracts.numbers(sketch(ops.zeros((3, 4, 4)), ops.zeros((3, 5)))))
