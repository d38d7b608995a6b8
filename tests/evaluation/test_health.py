import numpy as np
import pytest

from kerascola.evaluation import health as module
from kerascola.evaluation.health import equal_error, health

pytestmark = pytest.mark.once("NumPy, whatever Keras runs on")


def clusters(count: int = 40, spread: float = 0.4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = np.arange(count) % 4
    return (np.eye(6)[labels] + spread * rng.normal(size=(count, 6))).astype(np.float32), labels


def origins(count: int) -> np.ndarray:
    return np.array([f"{n}.wav" for n in range(count)], object)


def test_it_is_what_loops_over_the_definitions_give():
    vectors, labels = clusters()
    found = health(vectors, labels, origins(40)).values
    sphere = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    distances = {(i, j): float(((sphere[i] - sphere[j]) ** 2).sum()) for i in range(40) for j in range(40) if i != j}
    assert found["uniformity"] == pytest.approx(np.log(np.mean([np.exp(-2 * d) for d in distances.values()])), rel=1e-5)
    same = [d for (i, j), d in distances.items() if labels[i] == labels[j]]
    assert found["alignment"] == pytest.approx(np.mean(same), rel=1e-5)
    ranks = []
    for i in range(40):
        order = sorted((j for j in range(40) if j != i), key=lambda j: distances[i, j])
        ranks.append(1 + next(place for place, j in enumerate(order) if labels[j] == labels[i]))
    assert found["recall_at_1"] == pytest.approx(np.mean([rank == 1 for rank in ranks]))
    assert found["recall_at_5"] == pytest.approx(np.mean([rank <= 5 for rank in ranks]))
    assert found["mrr"] == pytest.approx(np.mean([1 / rank for rank in ranks]))
    shares = np.linalg.eigvalsh(np.cov(sphere.T, bias=True))
    shares = shares / shares.sum()
    assert found["effective_rank"] == pytest.approx(np.exp(-(shares * np.log(shares)).sum()), rel=1e-4)


def test_from_collapsed_to_spread():
    vectors, labels = clusters(400, 0.05)
    good = health(vectors, labels, origins(400))
    assert good.values["nmi"] > 0.99 and good.values["eer"] < 0.01 and good.values["recall_at_1"] == 1
    assert 2.5 < good.values["effective_rank"] < 3.6 and sum(good.spectrum) == pytest.approx(1)
    one_place = health(np.ones((40, 6), np.float32), labels[:40], origins(40)).values
    assert one_place["uniformity"] == pytest.approx(0, abs=1e-6) and one_place["alignment"] == pytest.approx(
        0, abs=1e-6
    )
    assert one_place["recall_at_1"] == 0  # a tie counts against it
    noise = np.random.default_rng(1).normal(size=(2000, 50)).astype(np.float32)
    by_chance = health(noise, np.arange(2000) % 4, origins(2000)).values
    assert by_chance["eer"] == pytest.approx(0.5, abs=0.02) and by_chance["nmi"] < 0.02
    assert by_chance["effective_rank"] > 45 and by_chance["recall_at_1"] == pytest.approx(0.25, abs=0.04)


def test_pieces_of_a_recording_are_not_found_for_each_other():
    """Each is twice there, and what is nearest of another recording is of another class."""
    vectors = np.repeat(np.eye(4, dtype=np.float32) + 0.1, 2, axis=0)
    labels = np.repeat([0, 0, 1, 1], 2)
    vectors[2:4] = 0.6 * vectors[2:4] + 0.4 * vectors[4:6]
    alone, together = origins(8), np.repeat(origins(4), 2)
    assert health(vectors, labels, alone).values["recall_at_5"] == 1
    assert health(vectors, labels, together).values["recall_at_1"] < 1


def test_the_equal_error_is_where_both_are_equal():
    assert equal_error(np.array([0.9, 0.8, 0.7, 0.3]), np.array([0.1, 0.2, 0.5, 0.6])) == pytest.approx(0.25)
    assert equal_error(np.array([0.9, 0.8]), np.array([0.1, 0.2])) == 0
    assert equal_error(np.array([0.1, 0.2]), np.array([0.8, 0.9])) == pytest.approx(1)
    rng = np.random.default_rng(0)
    known = equal_error(rng.normal(1.0, 1, 50_000), rng.normal(-1.0, 1, 100_000))
    assert known == pytest.approx(0.1587, abs=0.003)  # Phi(-1)


def test_several_labels_and_many_clips(monkeypatch):
    vectors, labels = clusters()
    assert set(health(vectors, np.eye(4)[labels], origins(40)).values) == {"effective_rank", "uniformity"}
    monkeypatch.setattr(module, "MOST", 20)
    part = health(vectors, labels, origins(40))
    assert len(part.rows) == 20 and part.values == health(vectors, labels, origins(40)).values
