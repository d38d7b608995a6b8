"""Every checkpoint that comes with the package: its files, on this backend and where kerascola cannot be imported."""

import keras
import pytest

from kerascola.runtime.catalogue import open_zoo, shipped
from kerascola.runtime.record import KINDS
from kerascola.zoo.cards import stale
from kerascola.zoo.checks import check

ZOO = open_zoo(str(shipped()))


def test_they_are_what_their_records_say():
    found = list(check(ZOO, list(ZOO.records.values()), keras.backend.backend()))
    assert [f"{name}, {what}: {said}" for name, what, said in found if not isinstance(said, str)] == []
    assert len(found) == 2 * len(KINDS) * len(ZOO.records)


@pytest.mark.once("files are listed")
def test_the_index_names_all_that_is_there():
    there = {path.name for path in (shipped() / "checkpoints").glob("*")}
    assert there == {f"{name}.{kind}" for name in ZOO.records for kind in KINDS}


@pytest.mark.once("texts are compared")
def test_the_cards_are_up_to_date():
    assert stale(shipped()) == [], "python -m kerascola.zoo.cards writes them anew"


@pytest.mark.once("sizes are added")
def test_they_are_small_enough_for_a_repository():
    sizes = [file.bytes for record in ZOO.records.values() for file in record.files.values()]
    assert len(sizes) >= 4 and max(sizes) < 14e6 and sum(sizes) < 60e6
