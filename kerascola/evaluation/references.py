"""What a trained encoder has to be better than: its own network at random weights, and statistics of a spectrogram."""

import dataclasses

import keras
from keras import layers, ops

from kerascola.dsp.log_mel import LogMel
from kerascola.errors import ModelError
from kerascola.frontends.frontend import frontend
from kerascola.models.embedder import embedder, parts
from kerascola.runtime.metadata import Metadata

SECONDS = 1.0  # of its windows; a shorter clip ends in silence, as training would have it


def randomise(model: keras.Model, seed: int) -> None:
    """Gives its encoder, or each of two side by side, the weights that it would begin training with."""
    encoders = [encoder for _, encoder in parts(model)]
    if not encoders:
        raise ModelError(
            "expected the layers `frontend` and `encoder`, received others: it is not known which weights are trained"
        )
    keras.utils.set_random_seed(seed)
    for encoder in encoders:
        encoder.set_weights(keras.Model.from_config(encoder.get_config()).get_weights())


def log_mel_statistics(spec: LogMel) -> tuple[keras.Model, Metadata]:
    """Mean and standard deviation over time of each band."""
    features = keras.Input((None, *spec.shape), name="features")
    mean = ops.mean(features, axis=1)
    spread = ops.sqrt(ops.mean(ops.square(features - ops.expand_dims(mean, 1)), axis=1))
    both = layers.Concatenate(name="embedding")([mean, spread])
    model = embedder(frontend(spec), keras.Model(features, both, name="encoder"))
    samples = round(SECONDS * spec.sample_rate)
    known = dataclasses.asdict(spec)
    return model, Metadata(spec.sample_rate, samples, samples, samples, 2 * spec.mels, "log-mel", frontend=known)
