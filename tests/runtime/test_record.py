import json

import numpy as np
import pytest
from zoos_for_tests import NAME, a_record, tree_of

from kerascola.errors import ZooError
from kerascola.runtime.golden import SOUND, difference, sound
from kerascola.runtime.record import is_name, read_index, write_index


def test_what_is_written_is_read():
    records = [a_record("b.two"), a_record("a.one", limits=("no birds",))]
    text = write_index(records, "https://there/zoo")
    index = read_index(text, "index.json")
    assert index.records == (records[1], records[0]) and index.address == "https://there/zoo"
    assert write_index(index.records, index.address) == text
    assert '"interval": [0.73, 0.775]' in text  # and not a number a line


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("dimension",), "4", "statistics.plain.dimension: expected a whole number, received '4'"),
        (("dimension",), True, "expected a whole number, received True"),
        (("dimension",), 5, "golden.embedding: expected 5 numbers, received 4"),
        (("sample_rate",), 0, "sample_rate: expected a whole number from 1, received 0"),
        (("hours",), float("nan"), "expected the index of a zoo, which is JSON, received: NaN"),
        (("summary",), None, "summary: expected text, received None"),
        (("metrics", 1, "interval"), [0.1], r"metrics\[1\].interval: expected a list of 2, received \[0.1\]"),
        (("metrics", 0, "valeu"), 1, r"metrics\[0\]: unknown key 'valeu'; did you mean 'value'"),
        (("files", "onnx", "sha256"), "AB", "files.onnx.sha256: expected 64 hexadecimal digits"),
        (("files", "torch"), {"bytes": 1, "sha256": "a" * 64}, "files: expected keras and onnx"),
        (
            ("golden", "tolerance"),
            {"keras": 0.0, "onnx": 1.0},
            "tolerance: expected a number above 0 for keras",
        ),
        (("golden", "tolerance"), {"keras": 1.0}, "tolerance: expected a number above 0 for keras"),
        (("parity",), [], "parity: expected an object"),
        (("name",), "../../etc", "name: expected arch.tag in small letters"),
    ],
)
def test_what_does_not_fit_is_named(place, value, said):
    tree = tree_of(a_record())
    inside = tree["records"][0]
    for key in place[:-1]:
        inside = inside[key]
    inside[place[-1]] = value
    with pytest.raises(ZooError, match=said) as raised:
        read_index(json.dumps(tree), "zoo/index.json")
    assert str(raised.value).startswith("zoo/index.json: ")


def test_an_index_that_is_none():
    tree = tree_of(a_record())
    del tree["records"][0]["golden"], tree["records"][0]["licence"]
    with pytest.raises(ZooError, match=f"x: {NAME}: expected .*, received no licence, golden"):
        read_index(json.dumps(tree), "x")
    for text, said in [
        ("<html>", "which is JSON"),
        ("[]", "format: expected 1"),
        ('{"format": 2, "records": []}', "expected 1, received 2. Another version"),
        ('{"format": 1, "records": 3}', "records: expected a list, received 3"),
        ('{"format": 1, "records": [3]}', "record 0: expected an object, received 3"),
    ]:
        with pytest.raises(ZooError, match=said):
            read_index(text, "x")
    with pytest.raises(ZooError, match=f"two of {NAME}"):
        read_index(write_index([a_record(), a_record()]), "x")


def test_names():
    assert all(map(is_name, ("a.b", "efficientnet-b0.cola-synth", "x1.y_2.z")))
    assert not any(map(is_name, ("cola", "a.onnx", "a.yaml", "a/b.c", "..", ".a.b", "A.b", "a.b ", "a..b", "-a.b", "")))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 100_000, "inside each other, more than 16"),
        ('{"format": 1, "records": [], "format": 1}', "the key 'format' twice"),
        ('{"format": 1, "records": 1e999}', "1e999, which is no number"),
        (b"\xff\xfe\xfd", "codec can't decode"),
        (b" " * (2**26 + 1), "67108865 bytes, of at most 67108864"),
    ],
)
def test_an_index_is_read_within_bounds(text, said):
    with pytest.raises(
        ZooError, match=f"^zoo/index.json: expected the index of a zoo, which is JSON, received: .*{said}"
    ):
        read_index(text, "zoo/index.json")


def test_the_golden_sound_is_what_is_said_of_it():
    rate, state, expected = 16000, 1, []
    for n in range(4000):
        gate = 1 if (8 * n // rate) % 2 == 0 else 0
        tones = 0.2 * np.sin(2 * np.pi * 440 * n / rate) + 0.1 * np.sin(2 * np.pi * 1760 * n / rate)
        expected.append(gate * tones + 0.05 * (state / 2**31 - 1))
        state = (1664525 * state + 1013904223) % 2**32
    received = sound(rate, 4000)
    assert received.dtype == np.float32
    np.testing.assert_allclose(received, expected, atol=1e-7)
    assert "1664525" in SOUND and "1013904223" in SOUND


def test_another_embedding_is_told():
    golden = a_record().golden
    own = np.array(golden.embedding, np.float32)
    assert difference(own, golden, "keras", "x") < 1e-7
    with pytest.raises(ZooError, match="x: expected the embedding in the record within 1e-05, received .* of 2e-05"):
        difference(own + np.float32([0, 0, 2e-5, 0]), golden, "keras", "x")
    assert difference(own + np.float32([0, 0, 2e-5, 0]), golden, "onnx", "x") == pytest.approx(2e-5, rel=0.01)
    for wrong in (own[:3], own * np.nan):
        with pytest.raises(ZooError, match="expected 4 finite numbers"):
            difference(wrong, golden, "keras", "x")
