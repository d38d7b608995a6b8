"""How far a long work is, and when it will be done."""

import pytest

from kerascola.cli import progress

pytestmark = pytest.mark.once("what is said, whatever Keras runs on")


def test_the_time_left_goes_by_what_was_heard(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    with progress.Listening([100, 300, 100], lambda number: 1800.0) as shown:
        shown.begins(1)  # the first was done before
        clock[0] = 50.0
        shown.heard(1, 900.0)
        assert shown.text(clock[0]) == "1 of 3 files, 0.0 files/s, 0.005 audio hours/s, 0:01:23 left"  # 50 x 250 / 150
        shown.heard(1, 900.0)
        shown.passed(1)
        clock[0] = 60.0
        assert shown.text(clock[0]) == "2 of 3 files, 0.0 files/s, 0.00833 audio hours/s, 0:00:20 left"
