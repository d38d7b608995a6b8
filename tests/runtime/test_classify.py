"""Labels and scores of clips, from a model whose heads can be computed by hand."""

import dataclasses

import numpy as np
import pytest
from onnx_models import LABELS, METADATA, WEIGHTS, head_alone, statistics, with_heads, write_statistics_model

from kerascola import Embedder, Head
from kerascola.errors import ModelError
from kerascola.runtime.metadata import Classes

RNG = np.random.default_rng(2)
LONG = (RNG.normal(0.0, 1, 20001) * np.linspace(0.05, 1.5, 20001)).astype("float32")
SHORT = RNG.normal(0.3, 0.1, 3000).astype("float32")


def logits_of(clip):
    """[windows, 3]: windows of 8000 samples, each 4000, the last of them ending where the clip does."""
    starts = [*range(0, max(1, len(clip) - 7999), 4000)]
    starts += [len(clip) - 8000] if len(clip) > starts[-1] + 8000 else []
    return np.stack([statistics(clip[s : s + 8000]) @ WEIGHTS for s in starts])


def softmax(x):
    return np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True)


EXPECTED = {
    "sure": (Classes(LABELS), lambda x: softmax(x.mean(axis=0))),
    "mild": (Classes(LABELS, average="scores"), lambda x: softmax(x).mean(axis=0)),
    "each": (Classes(LABELS, True), lambda x: 1 / (1 + np.exp(-x.mean(axis=0)))),
    "each_mild": (Classes(LABELS, True, "scores"), lambda x: (1 / (1 + np.exp(-x))).mean(axis=0)),
}


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    path = tmp_path_factory.mktemp("several") / "model.onnx"
    return Embedder(with_heads(path, {name: classes for name, (classes, _) in EXPECTED.items()}), batch_size=3)


@pytest.mark.parametrize("name", EXPECTED)
def test_scores_are_averaged_over_windows_as_the_head_says(several, name):
    labels, scores = several.classify([LONG, SHORT], 16000, name)
    assert labels == LABELS and scores.dtype == np.float32
    expected = [EXPECTED[name][1](logits_of(clip)) for clip in (LONG, SHORT)]
    np.testing.assert_allclose(scores, expected, atol=1e-5)
    _, one = several.classify(LONG, 16000, name)
    np.testing.assert_allclose(one, expected[0], atol=1e-5)


def test_the_ways_to_average_differ_here():
    x = logits_of(LONG)
    assert np.abs(EXPECTED["sure"][1](x) - EXPECTED["mild"][1](x)).max() > 0.02


def test_the_only_head_need_not_be_named(tmp_path):
    embed = Embedder(with_heads(tmp_path / "model.onnx", {"": Classes(LABELS)}))
    labels, scores = embed.classify(SHORT, 16000)
    np.testing.assert_allclose(scores, softmax(logits_of(SHORT)[0]), atol=1e-5)
    with pytest.raises(ModelError, match="received 'cats'"):
        embed.classify(SHORT, 16000, "cats")


def test_one_of_several_heads_has_to_be_named(several):
    with pytest.raises(ModelError, match="one of the heads sure, mild, each, each_mild, received None"):
        several.classify(SHORT, 16000)


def test_a_model_without_a_head_says_how_to_get_one(tmp_path):
    embed = Embedder(write_statistics_model(tmp_path / "model.onnx"))
    with pytest.raises(ModelError, match="gives embeddings alone.*kerascola-export MODEL.keras --head"):
        embed.classify(SHORT, 16000)


def test_metadata_that_tells_of_heads_that_are_not_there_is_refused(tmp_path):
    lying = dataclasses.replace(METADATA, heads={"": Classes(LABELS)})
    with pytest.raises(ModelError, match="expected an output logits of 3 float32 numbers, as its metadata says"):
        Embedder(write_statistics_model(tmp_path / "model.onnx", lying))


def test_a_head_alone_scores_embeddings(tmp_path):
    head = Head(head_alone(tmp_path / "head.onnx"))
    x = np.stack([statistics(SHORT), statistics(LONG)])
    labels, scores = head(x)
    assert labels == LABELS
    np.testing.assert_allclose(scores, softmax(x @ WEIGHTS), atol=1e-5)
    np.testing.assert_allclose(head(x[0])[1], softmax(x[0] @ WEIGHTS), atol=1e-5)
    for wrong in (x[:, :3], x[None], x.astype(int)):
        with pytest.raises(ModelError, match=r"expected embeddings \[n, 4\]"):
            head(wrong)


@pytest.mark.parametrize("number", [np.nan, np.inf, 1e300])
def test_a_head_refuses_embeddings_that_are_no_numbers(tmp_path, number):
    rows = np.ones((3, 4))
    rows[1, 2] = number
    head = Head(head_alone(tmp_path / "head.onnx"))
    with pytest.raises(ModelError, match="head.onnx: expected finite embeddings, .* for number 1 of 3"):
        head(rows)


def test_a_head_gives_no_scores_that_are_no_numbers(tmp_path):
    with pytest.raises(ModelError, match="head.onnx: expected finite scores, .* for number 0 of 1"):
        Head(head_alone(tmp_path / "head.onnx"))(np.full(4, 3e38))


def test_a_head_and_an_embedder_are_told_apart(tmp_path):
    with pytest.raises(ModelError, match="is a head, which takes embeddings: open it by kerascola.Head"):
        Embedder(head_alone(tmp_path / "head.onnx"))
    with pytest.raises(ModelError, match="expected a head alone"):
        Head(write_statistics_model(tmp_path / "model.onnx"))
