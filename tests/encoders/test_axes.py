import keras
import numpy as np
from contracts import check_plain

from kerascola.encoders.axes import lay_out, with_axes
from kerascola.encoders.small import small


def encoder_and_spectrograms():
    keras.utils.set_random_seed(0)
    encoder = small(bands=16, filters=4, dimension=6, dropout=0.0)
    return encoder, np.random.default_rng(0).normal(size=(40, 24, 16)).astype(np.float32)


def test_at_first_they_change_nothing_and_they_are_never_trained():
    encoder, x = encoder_and_spectrograms()
    turned = with_axes(encoder)
    check_plain(turned)
    assert turned.name == "encoder" and len(turned.trainable_variables) == len(encoder.trainable_variables)
    np.testing.assert_allclose(turned.predict_on_batch(x), encoder.predict_on_batch(x), rtol=1e-5, atol=1e-6)


def test_laid_out_embeddings_are_the_same_points_along_their_principal_axes():
    encoder, x = encoder_and_spectrograms()
    turned = with_axes(encoder)
    for shown in (x[:30], x):  # the second time from where the first has left them
        before = turned.predict_on_batch(x).astype(np.float64)
        lay_out(turned, turned.predict_on_batch(shown))
        after = turned.predict_on_batch(x).astype(np.float64)
        of_shown = after[: len(shown)]
        assert np.abs(of_shown.mean(axis=0)).max() < 1e-5
        covariance = np.cov(of_shown, rowvar=False)
        assert (np.diff(np.diag(covariance)) <= 1e-6).all()
        np.testing.assert_allclose(covariance, np.diag(np.diag(covariance)), atol=1e-5 * np.diag(covariance).max())
        distances = [np.linalg.norm(rows[:, None] - rows, axis=2) for rows in (before, after)]
        np.testing.assert_allclose(*distances, rtol=1e-4, atol=1e-5)
