import matplotlib.image
import numpy as np
import pytest

from kerascola.evaluation.picture import MATRIX, report
from kerascola.evaluation.retrieval import similarities

pytestmark = pytest.mark.once("matplotlib's drawing of arrays")


def draw(path, sounds: int, losses: list[float], spread: float = 1.0) -> np.ndarray:
    """[height, width, 4] of the picture of random embeddings."""
    rng = np.random.default_rng(0)
    first = spread * rng.normal(size=(sounds, 8)) + 1
    second = first + 0.1 * spread * rng.normal(size=(sounds, 8))
    classes = [["owl", "drum", "rain"][n % 3] for n in range(sounds)]
    report(path, "a title", losses, 4.0, similarities(first, second), np.concatenate([first, second]), classes)
    return matplotlib.image.imread(path)


def panels(picture: np.ndarray) -> list[np.ndarray]:
    return np.array_split(picture[60:], 3, axis=1)  # without the title


@pytest.mark.parametrize("sounds", [6, MATRIX + 30])
def test_three_panels_with_something_in_each(tmp_path, sounds):
    picture = draw(tmp_path / "report.png", sounds, [4.0, 2.0, 1.5])
    height, width, _ = picture.shape
    assert 1200 < width < 2400 and 400 < height < 900
    for panel in panels(picture):
        inked = (panel[..., :3] < 0.9).any(axis=-1)
        assert 0.01 < inked.mean() < 0.9
        assert len(np.unique(panel.reshape(-1, 4), axis=0)) > 20  # lines and letters, or colours
    matrix = panels(picture)[1][..., :3]
    assert len(np.unique(np.round(matrix.reshape(-1, 3), 2), axis=0)) > 50


def test_the_curve_is_the_losses(tmp_path):
    one = draw(tmp_path / "one.png", 6, [4.0, 2.0, 1.5])
    other = draw(tmp_path / "other.png", 6, [4.0, 3.0, 1.5])
    same = [np.array_equal(a, b) for a, b in zip(panels(one), panels(other), strict=True)]
    assert same == [False, True, True]


def test_one_epoch(tmp_path):
    assert draw(tmp_path / "short.png", 6, [4.0]).size
