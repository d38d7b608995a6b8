import numpy as np
import pytest

from kerascola.evaluation.folds import Fold
from kerascola.evaluation.judging import Encoder, averaged, differences, lines, probe
from kerascola.evaluation.trials import Amount, Settings, Task

pytestmark = pytest.mark.once("NumPy and scikit-learn, whatever Keras runs on")


@pytest.fixture(scope="module")
def judged() -> tuple[list[Encoder], Task]:
    """A good encoder, a worse one, and the good one's network at three sets of random weights."""
    rng = np.random.default_rng(0)
    labels = np.arange(150) % 3
    folds = tuple(
        Fold(
            str(n),
            np.flatnonzero(np.arange(150) // 50 != n),
            np.array([], int),
            np.flatnonzero(np.arange(150) // 50 == n),
        )
        for n in range(3)
    )

    def vectors(spread: float) -> np.ndarray:
        return (np.eye(6)[labels] + spread * rng.normal(size=(150, 6))).astype(np.float32)

    encoders = [
        Encoder("good", [], vectors=[vectors(0.4)]),
        Encoder("random weights of good", [], "random", "good", vectors=[vectors(1.5) for _ in range(3)]),
        Encoder("worse", [], vectors=[vectors(0.9)]),
    ]
    settings = Settings(("linear", "knn"), amounts=(Amount(shots=3),), repeats=2)
    task = Task(labels, np.array([f"{n}.wav" for n in range(150)]), ("a", "b", "c"), folds, settings)
    probe(encoders, task, task.groups)
    return encoders, task


def test_random_weights_are_the_mean_of_their_seeds(judged):
    encoders, task = judged
    alone = [Encoder("one", [], vectors=[vectors]) for vectors in encoders[1].vectors]
    probe(alone, task, task.groups)
    each = [lines(one, task)[0].value("accuracy") for one in alone]
    line = lines(encoders[1], task)[0]
    assert line.value("accuracy") == pytest.approx(np.mean(each)) and len(line.trials) == 3
    assert line.spread["accuracy"] == pytest.approx(np.std(each, ddof=1))


def test_draws_are_of_seeds_as_well_as_of_clips():
    """Of seeds alone, where all clips say the same: the variance of a mean over them."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=5)
    found = averaged(np.tile(values[:, None], 1 + 20_000), seed=0)
    assert found[0] == pytest.approx(values.mean()) and found.mean() == pytest.approx(values.mean(), abs=0.02)
    assert found[1:].var() == pytest.approx(values.var(ddof=1) / 5, rel=0.05)
    of_clips = rng.normal(size=(1, 1 + 100))
    np.testing.assert_array_equal(averaged(of_clips, seed=0), of_clips[0])


def test_there_is_a_line_for_each_probe_and_amount(judged):
    encoders, task = judged
    for encoder, repeats in zip(encoders, ([1, 2, 1, 2], [3, 3, 3, 3], [1, 2, 1, 2]), strict=True):
        found = lines(encoder, task)
        assert [(one.probe, str(one.amount)) for one in found] == [
            ("linear", "all"),
            ("linear", "3 per class"),
            ("knn", "all"),
            ("knn", "3 per class"),
        ]
        assert [len(one.trials) for one in found] == repeats
        assert found[0].value("accuracy") > found[1].value("accuracy") - 0.05


def test_differences_are_of_each_and_its_random_weights_and_of_each_pair(judged):
    encoders, task = judged
    found = {encoder.name: lines(encoder, task) for encoder in encoders}
    told = differences(encoders, found, "accuracy")
    pairs = [("good", "random weights of good"), ("good", "worse")]
    assert [(one.a, one.b, one.probe) for one in told] == [(a, b, p) for a, b in pairs for p in ("linear", "knn")]
    for one in told:
        a, b = (next(x for x in found[name] if x.probe == one.probe).value("accuracy") for name in (one.a, one.b))
        assert one.value == pytest.approx(a - b) and one.interval[0] < one.value < one.interval[1]
        assert one.value > 0.05 and one.p < 0.05 and one.interval[0] > 0


def test_an_encoder_is_no_better_than_itself(judged):
    encoders, task = judged
    twin = Encoder("twin", [], vectors=encoders[0].vectors, trials=encoders[0].trials)
    found = {"good": lines(encoders[0], task), "twin": lines(twin, task)}
    one = differences([encoders[0], twin], found, "accuracy")[0]
    assert (one.value, one.interval, one.p) == (0, (0, 0), 1)
