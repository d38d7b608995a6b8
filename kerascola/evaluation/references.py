"""What a trained encoder has to be better than: its own network at random weights, and statistics of a spectrogram."""

import dataclasses

import keras
from keras import layers, ops

from kerascola.dsp.log_mel import LogMel
from kerascola.errors import ModelError
from kerascola.frontends.frontend import frontend
from kerascola.models.embedder import embedder, split
from kerascola.runtime.metadata import Metadata

LOG_MEL = "log-mel"
SECONDS = 1.0  # of its windows; a shorter clip ends in silence, as training would have it


def randomise(model: keras.Model, seed: int) -> None:
    """Gives its encoder, or each of two side by side, the weights that it would begin training with."""
    inside = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    encoders = [parts[1] for each in (model, *inside) if (parts := split(each))]
    if not encoders:
        raise ModelError(
            "expected the layers `frontend` and `encoder`, received others: it is not known which weights are trained"
        )
    keras.utils.set_random_seed(seed)
    for encoder in encoders:
        encoder.set_weights(keras.Model.from_config(encoder.get_config()).get_weights())


def log_mel_statistics(sample_rate: int = 16_000) -> tuple[keras.Model, Metadata]:
    """Mean and standard deviation over time of 64 log-mels."""
    spec = LogMel(sample_rate=sample_rate, level="none", centre="reflect", power=2, floor=1e-10)
    features = keras.Input((None, *spec.shape), name="features")
    mean = ops.mean(features, axis=1)
    spread = ops.sqrt(ops.mean(ops.square(features - ops.expand_dims(mean, 1)), axis=1))
    both = layers.Concatenate(name="embedding")([mean, spread])
    model = embedder(frontend(spec), keras.Model(features, both, name="encoder"))
    samples = round(SECONDS * sample_rate)
    sizes = dict.fromkeys(("window_samples", "hop_samples", "min_samples"), samples)
    metadata = Metadata(
        sample_rate, dimension=2 * spec.mels, recipe=LOG_MEL, frontend=dataclasses.asdict(spec), **sizes
    )
    return model, metadata
