import json

import pytest
from onnx_models import METADATA

from kerascola.errors import ModelError
from kerascola.runtime.metadata import FORMAT_KEY, Classes, Metadata


def test_it_comes_back_as_it_went_in():
    rich = Metadata(
        22050, 22050, 11025, 660, 512, "cola", "CC0", {"": Classes(("a", "b"), True)}, {"keras": "3"}, {"worst": 1e-6}
    )
    props = rich.to_props()
    assert all(isinstance(value, str) for value in props.values())  # as ONNX needs them
    assert Metadata.from_props(props, "x.onnx") == rich
    assert Metadata.from_props(props | {"somebody": "else's"}, "x.onnx") == rich


@pytest.mark.parametrize("props", [{}, {"author": "me"}, METADATA.to_props() | {FORMAT_KEY: "2"}])
def test_files_of_others_are_refused(props):
    with pytest.raises(ModelError, match="x.onnx was not made by this version of kerascola-export"):
        Metadata.from_props(props, "x.onnx")


@pytest.mark.parametrize("value", ["0", "-5", "true", "1.5", '"text"', "null", "not json", "[1]"])
@pytest.mark.parametrize("key", ["sample_rate", "window_samples", "hop_samples", "min_samples", "dimension"])
def test_counts_that_are_none_are_refused(key, value):
    with pytest.raises(ModelError, match="x.onnx.*damaged"):
        Metadata.from_props(METADATA.to_props() | {key: value}, "x.onnx")


def test_a_missing_field_is_refused():
    props = METADATA.to_props()
    del props["hop_samples"]
    with pytest.raises(ModelError, match="x.onnx.*hop_samples"):
        Metadata.from_props(props, "x.onnx")


def test_numbers_are_readable_by_others():
    assert json.loads(METADATA.to_props()["sample_rate"]) == 16000
