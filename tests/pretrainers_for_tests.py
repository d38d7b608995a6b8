"""The smallest pre-trainer that has all that a training step must heed: noise, dropped branches, batch statistics."""

from collections.abc import Callable

import contracts
import keras
import numpy as np
from keras import layers, ops

from kerascola.augment.views import Views
from kerascola.models.pretrainer import Pretrainer
from kerascola.objectives.nt_xent import NtXent
from kerascola.objectives.objective import Objective
from kerascola.training.step import give_weights

CLIPS, SAMPLES, CROP, BANDS, DIMENSION = 8, 96, 64, 8, 6


def tiny_pretrainer(
    objective: Callable[[], Objective] = lambda: NtXent(hidden=(5,), dimension=4, batch_norm=False),
    optimizer: keras.optimizers.Optimizer | None = None,
    *,
    noise: float = 0.0,
    dropped: float = 0.0,
    batch_norm: bool = False,
) -> Pretrainer:
    """The same every time."""
    keras.utils.set_random_seed(1)
    waveform = keras.Input((None,))
    features = keras.Model(waveform, layers.Reshape((-1, BANDS))(waveform), name="features")
    image = keras.Input((None, BANDS))
    x = layers.Conv1D(DIMENSION, 3, padding="same")(image)
    x = layers.BatchNormalization(momentum=0.7)(x) if batch_norm else x
    branch = layers.DepthwiseConv1D(3, padding="same", activation="tanh")(x)
    x = x + (layers.Dropout(dropped, noise_shape=(None, 1, 1))(branch) if dropped else branch)
    encoder = keras.Model(image, layers.Dense(DIMENSION)(ops.mean(x, axis=1)), name="encoder")
    for weight in encoder.trainable_variables:  # none at zero, where roots and directions have no slope
        weight.assign(weight + keras.random.uniform(weight.shape, 0.0, 0.3))
    views = Views(crop_samples=CROP, noise=noise)
    model = Pretrainer(features, encoder, objective(), views, seed=3, clip_level=lambda clips: 3.0 * clips)
    model.compile(optimizer=optimizer or keras.optimizers.SGD(0.3, momentum=0.9))
    give_weights(model, batch(0))
    return model


def batch(number: int, n: int = CLIPS) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(number)
    clips = rng.normal(size=(n, SAMPLES)) + rng.normal(size=(n, 1))
    starts = rng.integers(0, SAMPLES - CROP, size=(n, 2))
    labels = np.arange(n, dtype=np.int32) % 3
    return {"clips": clips.astype(np.float32), "starts": starts.astype(np.int32), "labels": labels}


def values(variables) -> list[np.ndarray]:
    """Copies, which the next step cannot change; in float64, which holds a generator's state and every float32."""
    return [ops.convert_to_numpy(variable).astype(np.float64) for variable in variables]


def state(model: Pretrainer) -> dict[str, np.ndarray]:
    """All that a training changes, by path."""
    everything = [*model.variables, *model.optimizer.variables]
    return {f"{n} {v.path}": value for n, (v, value) in enumerate(zip(everything, values(everything), strict=True))}


def scalars(logs) -> dict[str, float]:
    return {name: float(contracts.numbers(value)) for name, value in logs.items() if name != "views"}
