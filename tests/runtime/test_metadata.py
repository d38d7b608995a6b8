import json
import random
import zipfile
from dataclasses import asdict, fields

import numpy as np
import pytest
from onnx_models import METADATA

from kerascola.errors import ModelError
from kerascola.runtime.metadata import FORMAT_KEY, MEMBER, RANGES, Classes, Metadata, load_metadata


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


LIES = [
    ("sample_rate", 99, "sample_rate: expected a whole number from 100 to 1000000, received 99"),
    ("sample_rate", 1_000_001, "sample_rate: expected a whole number from 100 to 1000000"),
    ("window_samples", 2**25 + 1, "window_samples: expected a whole number from 1 to 33554432"),
    ("hop_samples", 2**62, "hop_samples: expected a whole number from 1 to 33554432"),
    ("hop_samples", 7, "hop_samples: expected 8000 / 1024 or more, received 7"),
    ("min_samples", 2**22 + 1, "min_samples: expected a whole number from 1 to 4194304"),
    ("min_samples", 8001, "min_samples: expected no more than window_samples, 8000, received 8001"),
    ("dimension", 65537, "dimension: expected a whole number from 1 to 65536"),
    ("dimension", 4.0, "dimension: expected a whole number, received 4.0"),
    ("heads", ["abc"], "heads: expected an object"),
    ("heads", {"": {"labels": "abc"}}, r"heads..labels: expected a list, received 'abc'"),
    ("heads", {"": {"labels": ["a", 1]}}, r"labels\[1\]: expected text, received 1"),
    ("heads", {"": {"labels": []}}, "labels: expected 1 to 65536 labels, received 0"),
    ("heads", {"": {"labels": ["a"], "multi_label": 1}}, "multi_label: expected true or false, received 1"),
    ("heads", {"": {"labels": ["a"], "average": "median"}}, "average: expected logits or scores, received 'median'"),
    ("heads", {"": {"labels": ["x" * 1001]}}, "texts of at most 1000 characters"),
    ("heads", {"x" * 1001: {"labels": ["a"]}}, "texts of at most 1000 characters"),
    ("recipe", "x" * 1001, "texts of at most 1000 characters"),
    ("licence", "x" * 2**20, "texts of at most 1000 characters|at most 1048576 bytes"),
    ("versions", {"keras": 3}, "versions.keras: expected text, received 3"),
    ("versions", ["keras"], "versions: expected an object"),
    ("verified", [], "verified: expected an object"),
    ("frontend", None, "frontend: expected an object, received None"),
]


@pytest.fixture(params=["onnx", "keras"])
def said(request, tmp_path):
    """`said(fields)`: what a file with these says of itself."""

    def read(values: dict) -> Metadata | None:
        if request.param == "onnx":
            texts = {name: v if isinstance(v, str) else json.dumps(v) for name, v in values.items()}
            return Metadata.from_props(texts | {FORMAT_KEY: "1"}, "file.onnx")
        return load_metadata(archive(tmp_path / "file.keras", json.dumps(values)))

    return read


def archive(path, text: str, **options):
    with zipfile.ZipFile(path, "w", **options) as file:
        file.writestr("config.json", "{}")
        file.writestr(MEMBER, text)
    return path


@pytest.mark.parametrize(("key", "value", "reason"), LIES)
def test_lies_are_refused(said, key, value, reason):
    with pytest.raises(ModelError, match=reason) as raised:
        said(asdict(METADATA) | {key: value})
    assert len(str(raised.value)) < 400 and "file." in str(raised.value) and "again" in str(raised.value)


@pytest.mark.parametrize("key", RANGES)
def test_the_ends_of_the_ranges_are_allowed(said, key):
    least, most = RANGES[key]
    room = {"window_samples": 1024 if key == "hop_samples" else 2**25, "hop_samples": 2**25, "min_samples": 1}
    for value in (least, most):
        assert getattr(said(asdict(METADATA) | room | {key: value}), key) == value


TEXTS = [
    ("NaN", "NaN, which is no number"),
    ("-Infinity", "-Infinity, which is no number"),
    ("1e999", "1e999, which is no number"),
    ("[" * 100_000, "inside each other, more than 16"),
    ('{"a":' * 50_000 + "1" + "}" * 50_000, "inside each other, more than 16"),
    ("[" * 17 + "]" * 17, "inside each other, more than 16"),
    ("9" * 5000, "integer string conversion"),
    ('{"a": 1, "b": 2, "a": 3}', "the key 'a' twice"),
    (" " * 2**20 + "{}", "1048578 bytes, of at most 1048576"),
    ("{}}", "Extra data"),
    ("", "Expecting value"),
]


@pytest.mark.parametrize(("text", "reason"), TEXTS)
def test_json_is_read_within_bounds(tmp_path, text, reason):
    with pytest.raises(ModelError, match=f"x.onnx: .*damaged: .*{reason}"):
        Metadata.from_props(METADATA.to_props() | {"verified": text}, "x.onnx")
    whole = reason if len(text) < 2**20 else "at most 1048576 bytes of kerascola.json, received more"
    with pytest.raises(ModelError, match=f"file.keras: .*{whole}"):
        load_metadata(archive(tmp_path / "file.keras", text))


def test_as_deep_as_is_allowed(said):
    deep: dict = {}
    for _ in range(13):
        deep = {"a": deep}
    assert said(asdict(METADATA) | {"verified": {"a": deep}}).verified == {"a": deep}


VALUES = [None, True, False, 0, -1, 1, 2.5, -0.0, 1e308, 2**31, 2**64, 10**400, "", "4", "x" * 2000, "\ud800", "\0"]
VALUES += [[], [1], ["a"], [["a"]], {}, {"a": 1}, {"a": "b"}, {"a": {}}, [None], {"": None}]
VALUES += [{"": {"labels": ["a"]}}, {"a": {"labels": ["a", "b"], "multi_label": True}}, {"a": {"labels": {}}}]
VALUES += [bound + d for pair in RANGES.values() for bound in pair for d in (-1, 0, 1)]


def test_whatever_it_says_it_is_within_bounds_or_refused(said):
    draws = random.Random(0)
    kept = 0
    for _ in range(300):
        values = asdict(METADATA)
        for key in draws.sample(list(values), draws.choice((1, 1, 1, 2))):
            values[key] = draws.choice(VALUES)
        try:
            found = said(values)
        except ModelError:
            continue
        kept += 1
        assert {f.name: type(getattr(found, f.name)) for f in fields(found) if f.name in RANGES} == dict.fromkeys(
            RANGES, int
        )
        assert all(least <= getattr(found, key) <= most for key, (least, most) in RANGES.items())
        assert found.min_samples <= found.window_samples <= 1024 * found.hop_samples
        labels = [text for head in found.heads.values() for text in head.labels]
        assert all(type(text) is str for text in (found.recipe, found.licence, *labels, *found.versions.values()))
        assert Metadata.from_props(found.to_props(), "again") == found
    assert kept > 20


@pytest.mark.parametrize("packed", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_archives_are_stored_or_deflated(tmp_path, packed):
    """A member packed by LZMA says how much memory it takes to unpack it."""
    with pytest.raises(ModelError, match="file.keras cannot be loaded: 'config.json' is neither stored nor deflated"):
        load_metadata(archive(tmp_path / "file.keras", "{}", compression=packed))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_twice_is_refused(tmp_path):
    path = archive(tmp_path / "file.keras", json.dumps(asdict(METADATA)))
    with zipfile.ZipFile(path, "a") as file:
        file.writestr(MEMBER, "{}")
    with pytest.raises(ModelError, match="two members of one name"):
        load_metadata(path)


def test_a_bomb_is_not_unpacked(tmp_path):
    path = archive(tmp_path / "file.keras", " " * 2**24, compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 2**16
    with pytest.raises(ModelError, match="at most 1048576 bytes of kerascola.json"):
        load_metadata(path)


@pytest.mark.parametrize("member", ["config.json", "metadata.json", "model.weights.h5", "assets/a.txt"])
@pytest.mark.parametrize("claimed", [None, 2**28])
def test_no_member_is_a_bomb(tmp_path, member, claimed):
    """Whatever it says that it takes in the file, for Keras unpacks it in memory."""
    path = tmp_path / "file.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(MEMBER, json.dumps(asdict(METADATA)))
        file.writestr(member, bytes(2**25))
        if claimed:
            file.getinfo(member).compress_size = claimed
    assert path.stat().st_size < 2**16
    with pytest.raises(ModelError, match="file.keras cannot be loaded: its members are 33554[0-9]* bytes, of at most"):
        load_metadata(path)


def test_an_archive_may_be_as_large_as_its_members(tmp_path):
    path = archive(tmp_path / "file.keras", json.dumps(asdict(METADATA)))
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as file:
        file.writestr("model.weights.h5", np.random.default_rng(0).integers(0, 2, 2**25, np.uint8))
    assert path.stat().st_size < 2**23 and load_metadata(path) == METADATA


def test_an_archive_goes_by_its_name(tmp_path):
    """Keras takes NAME.h5 for another format, whatever is in it."""
    path = archive(tmp_path / "file.h5", json.dumps(asdict(METADATA)))
    with pytest.raises(ModelError, match="file.h5 is not a Keras archive"):
        load_metadata(path)
