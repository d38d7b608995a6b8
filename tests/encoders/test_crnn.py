import contracts
import keras
import numpy as np
import pytest

from kerascola.encoders.crnn import MIN_FRAMES, crnn
from kerascola.errors import RecipeError


def test_the_contract_holds_for_a_narrow_one(tmp_path):
    # The backward direction's one step starts from nothing, which its recurrent weights are multiplied with.
    unused = ("backward/gru_cell/recurrent_kernel",)
    contracts.check_encoder(lambda: crnn(48, filters=4, units=6), (48,), 6, MIN_FRAMES, tmp_path, unused=unused)


@contracts.counted_once
def test_parameters_are_those_of_uclser20():
    """Added up from its models/audio_models.py: convolutions without bias, a GRU with two biases each way."""
    convolutions = sum(25 * before * 128 + 2 * 128 for before in (1, 128, 128))
    direction = 3 * (256 * 64 + 64 * 64 + 2 * 64)
    with contracts.unfilled():
        assert contracts.trainable(crnn()) == convolutions + 2 * direction


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def gru_step(x: np.ndarray, state: np.ndarray, kernel, recurrent, bias) -> np.ndarray:
    """Cho et al. 2014 with the reset gate behind the product, as cuDNN has it; gates update, reset, candidate."""
    xz, xr, xh = np.split(x @ kernel + bias[0], 3)
    hz, hr, hh = np.split(state @ recurrent + bias[1], 3)
    update, reset = sigmoid(xz + hz), sigmoid(xr + hr)
    return update * state + (1 - update) * np.tanh(xh + reset * hh)


def test_both_directions_of_a_bidirectional_gru_at_the_last_step():
    """Against loops over a whole sequence, the backward one over the whole of it from its end."""
    encoder = crnn(48, filters=4, units=6)
    rng = np.random.default_rng(0)
    for layer in encoder.layers:
        if isinstance(layer, keras.layers.GRU):
            layer.set_weights([rng.normal(size=w.shape) * 0.5 for w in layer.weights])
    x = rng.normal(size=(2, 61, 48)).astype(np.float32)
    forward = encoder.get_layer("forward")
    sequences = keras.Model(encoder.input, forward.input).predict_on_batch(x)
    assert sequences.shape == (2, 61 // 8, 4)
    received = encoder.predict_on_batch(x)
    for row, sequence in enumerate(sequences.astype(np.float64)):
        last = []
        for name, frames in (("forward", sequence), ("backward", sequence[::-1])):
            weights = [contracts.numbers(w).astype(np.float64) for w in encoder.get_layer(name).weights]
            state, states = np.zeros(6), []
            for frame in frames:
                state = gru_step(frame, state, *weights)
                states.append(state)
            last.append(states[-1] if name == "forward" else states[0])  # states[0] is at the sequence's last step
        np.testing.assert_allclose(received[row], last[0] * last[1], atol=1e-5)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"bands": 39}, "expected bands of crnn of at least 40, received 39"),
        ({"filters": 0}, "expected filters of at least 1, received 0"),
        ({"units": 0}, "expected units of at least 1, received 0"),
    ],
)
def test_what_cannot_be_is_said(options, message):
    with pytest.raises(RecipeError) as error:
        crnn(**options)
    assert message in str(error.value)
