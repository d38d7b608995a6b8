import contracts
import keras
import numpy as np
import pytest
from keras import layers

from kerascola.augment.mixup import Mixup
from kerascola.augment.views import Views
from kerascola.models.classifier import Classifier
from kerascola.objectives.classify import Classify
from kerascola.training.step import Step

N, SAMPLES, CLASSES = 6, 64, 3
LABELS = np.array([0, 1, 2, 0, 1, 2], np.int32)


def classifier(frozen: bool = False, mixup: Mixup | None = None, dropped: float = 0.0) -> Classifier:
    keras.utils.set_random_seed(1)
    waveform = keras.Input((None,))
    features = keras.Model(waveform, layers.Reshape((-1, 8))(waveform))
    image = keras.Input((None, 8))
    x = layers.BatchNormalization()(layers.Dense(6, activation="tanh")(image))
    encoder = keras.Model(image, layers.Dropout(dropped)(layers.GlobalAveragePooling1D()(x)))
    views = Views(crop_samples=SAMPLES, count=1, mixup=mixup)
    model = Classifier(features, encoder, Classify(CLASSES, mixed=mixup is not None), views, frozen=frozen)
    model.compile(optimizer=keras.optimizers.SGD(0.5))
    return model


def batch(mixup: Mixup | None = None) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    clips = rng.normal(size=(N, SAMPLES)).astype(np.float32)
    drawn = [Views(crop_samples=SAMPLES, count=1, mixup=mixup).draw(c, rng, np.random.default_rng) for c in clips]
    assert mixup is None or set(drawn[0]) == {"starts", "mixup.partner", "mixup.share"}
    return {"clips": clips, "labels": LABELS, **{key: np.stack([d[key] for d in drawn]) for key in drawn[0]}}


@pytest.mark.parametrize("frozen", [False, True])
def test_frozen_nothing_but_the_linear_layer_learns(frozen):
    model, data = classifier(frozen, dropped=0.5), batch()
    before = float(contracts.numbers(model(data, training=True)["loss"]))
    model.optimizer.build(model.trainable_variables)
    encoder = [weight.copy() for weight in model.encoder.get_weights()]
    with Step(model) as step:
        for _ in range(20):
            after = float(contracts.numbers(step(data)["loss"]))
    assert after < before
    moved = [not np.array_equal(a, b) for a, b in zip(encoder, model.encoder.get_weights(), strict=True)]
    assert not any(moved) if frozen else all(moved)  # batch norm's statistics among them
    losses = {float(contracts.numbers(model(data, training=True)["loss"])) for _ in range(3)}
    assert len(losses) == (1 if frozen else 3), "what is frozen drops nothing"


def test_sounds_are_mixed_with_their_labels():
    mixup = Mixup(alpha=1.0)
    model, data = classifier(frozen=True, mixup=mixup), batch(mixup)
    mixed = model(data, training=True)
    rows = np.arange(N)
    others = (rows + 1 + data["mixup.partner"] % (N - 1)) % N
    share = data["mixup.share"][:, None]
    clips = share * data["clips"] + (1 - share) * data["clips"][others]
    shares = share * np.eye(CLASSES)[LABELS] + (1 - share) * np.eye(CLASSES)[LABELS[others]]
    logits = contracts.numbers(model.logits(clips.astype(np.float32))).astype(np.float64)
    expected = -(shares * (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))).sum(axis=1).mean()
    assert float(contracts.numbers(mixed["loss"])) == pytest.approx(expected, rel=1e-4)
    plain = float(contracts.numbers(model(data)["loss"]))  # without training nothing is mixed
    logits = contracts.numbers(model.logits(data["clips"])).astype(np.float64)
    sure = logits[rows, LABELS] - np.log(np.exp(logits).sum(axis=1))
    assert plain == pytest.approx(-sure.mean(), rel=1e-4)
