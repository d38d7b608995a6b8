import numpy as np

from kerascola.runtime.packing import MOST_BATCHES, Packing


def test_windows_come_out_once_in_full_batches_of_one_length():
    random = np.random.default_rng(0)
    packing, batches, sent = Packing(4), [], []
    for index in range(300):
        window = np.full(int(random.choice([100, 100, 100, 70, 71, 72])), index, np.float32)
        sent.append((index, len(window)))
        batch = packing.add(index, window)
        if batch:
            batches.append(batch)
        assert packing.count < MOST_BATCHES * 4
    common = [batch for batch in batches if len(batch[0][1]) == 100]
    assert sum(map(len, common)) / len(common) > 3  # nearly full
    batches += list(packing.rest())
    assert all(len({len(window) for _, window in batch}) == 1 and len(batch) <= 4 for batch in batches)
    out = [(index, len(window)) for batch in batches for index, window in batch]
    assert sorted(out) == sorted(sent)
    assert packing.count == 0 and not list(packing.rest())


def test_waiting_windows_do_not_keep_their_clip():
    clip = np.zeros(1_000_000, np.float32)
    packing = Packing(4)
    packing.add(0, clip[:100])
    ((_, window),) = next(packing.rest())
    assert window.base is None or window.base.nbytes == window.nbytes
