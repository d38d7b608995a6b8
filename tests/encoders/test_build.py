"""Encoders by name, behind every front end that they fit."""

import inspect

import contracts
import numpy as np
import pytest
from models_for_tests import FRONT_ENDS, NARROW, few_blocks

from kerascola.encoders.build import ADAPTERS, BUILDERS, build
from kerascola.errors import RecipeError
from kerascola.frontends.frontend import frontend
from kerascola.models.embedder import embedder
from kerascola.recipes import schema


def fits(name: str, front: str) -> bool:
    return (name == "resnet1d") == (front == "waveform")


@pytest.mark.once("that sizes fit together; numbers of each encoder and each front end: tests/export/test_matrix.py")
@pytest.mark.parametrize("front", FRONT_ENDS)
@pytest.mark.parametrize("name", BUILDERS)
def test_every_encoder_behind_every_front_end(name, front):
    spec = FRONT_ENDS[front]
    if not fits(name, front):
        with pytest.raises(RecipeError, match="choose another encoder, or the front end"):
            build(name, spec.shape)
        return
    with few_blocks():
        encoder, frames = build(name, spec.shape, **NARROW[name])
    model = embedder(frontend(spec), encoder)
    contracts.check_plain(model)
    least = spec.samples(frames)
    waves = np.random.default_rng(0).normal(size=(2, least)).astype(np.float32) * 0.1
    together, again = (model.predict_on_batch(w) for w in (waves, waves[[1, 1]]))
    assert together.shape == (2, encoder.output.shape[-1]) and np.isfinite(together).all()
    assert together.any()
    np.testing.assert_allclose(again, together[[1, 1]], atol=2e-5 * max(1, np.abs(together).max()))


def test_the_recipes_sections_are_the_builders_arguments():
    for name, kind in schema.parts("encoder").items():
        builder = ADAPTERS[name] if name in ADAPTERS else BUILDERS[name][0]
        arguments = {n: p.default for n, p in inspect.signature(builder).parameters.items()}
        fields = {n: getattr(kind(), n) for n in kind.model_fields if n != "name"}
        assert fields == {n: v for n, v in arguments.items() if n not in ("bands", "channels")}, name
    assert set(schema.parts("encoder")) == {*BUILDERS, *ADAPTERS}


def test_an_unknown_encoder_names_the_nearest():
    with pytest.raises(RecipeError, match="unknown encoder 'efficentnet'; did you mean 'efficientnet'?"):
        build("efficentnet", (64,))
