"""Which recordings a classifier is fitted on and which it is tested on, once or in turn."""

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from kerascola.data.draws import held_out, unlabelled
from kerascola.data.manifest import TRAIN
from kerascola.data.recordings import Recordings
from kerascola.data.sets import VALID, kin, say_leaks
from kerascola.errors import DataError


@dataclass(frozen=True)
class Fold:
    """Numbers of recordings, all of them with labels."""

    name: str
    train: np.ndarray
    valid: np.ndarray  # to choose by; none where cross-validation does
    test: np.ndarray


def column_of(folds: str | None) -> dict[str, str]:
    """What `Recordings` is asked for: the column that `folds` names, if it names one."""
    return {"fold": folds} if folds and not folds.isdigit() else {}


def folds_of(recordings: Recordings, folds: str | None, share: float = 0.2, seed: int = 0) -> list[Fold]:
    """`folds`: how many, or a column each of whose values is tested on in turn. None: by the list's own splits, or a
    share that is held out. Groups, where there are such, stay whole, and so do the pieces of a file.
    """
    known = ~unlabelled(recordings.labels)
    if not known.any():
        raise DataError(f"{recordings.source} has no labels. Another column: --label")
    if not known.all():
        warnings.warn(f"{recordings.source}: {(~known).sum()} recordings without a label are left out", stacklevel=2)
    if folds is None:
        found = by_split(recordings, known, share, seed)
    elif folds.isdigit():
        found = numbered(recordings, known, int(folds), seed)
    else:
        found = by_column(recordings, known, folds)
    for fold in found:
        check(fold, recordings)
    return found


def by_split(recordings: Recordings, known: np.ndarray, share: float, seed: int) -> list[Fold]:
    splits = recordings.splits
    names = sorted(set(splits.tolist()) - {""})
    if not names:
        chosen = np.zeros(len(recordings), bool)
        chosen[known] = held_out(recordings.labels[known], kin(recordings)[known], share, seed)
        return [Fold("held out", np.flatnonzero(known & ~chosen), np.array([], int), np.flatnonzero(chosen))]
    tests = [name for name in names if name not in (TRAIN, *VALID)]
    if TRAIN not in names or not tests:
        raise DataError(
            f"{recordings.source} has the splits {', '.join(names)}: expected one named {TRAIN} and one to test on. "
            "Rename them, or have `kerascola probe` take no regard of them: --folds 5"
        )
    if outside := (known & (splits == "")).sum():
        warnings.warn(f"{recordings.source}: {outside} recordings are of no split, and left out", stacklevel=3)
    test = "test" if "test" in tests else tests[0]
    if len(tests) > 1:
        others = ", ".join(name for name in tests if name != test)
        warnings.warn(f"{recordings.source}: tested on {test}; not looked at: {others}", stacklevel=3)

    def rows(*wanted: str) -> np.ndarray:
        return np.flatnonzero(known & np.isin(splits, wanted))

    return [Fold(test, rows(TRAIN), rows(*VALID), rows(test))]


def by_column(recordings: Recordings, known: np.ndarray, column: str) -> list[Fold]:
    names = sorted(set(recordings.folds[known].tolist()) - {""})
    if len(names) < 2:
        raise DataError(
            f"{recordings.source}: expected two folds or more in the column {column}, received "
            f"{', '.join(names) or 'none'}"
        )
    inside = known & (recordings.folds != "")
    if outside := (known & ~inside).sum():
        warnings.warn(f"{recordings.source}: {outside} recordings are of no fold, and left out", stacklevel=3)
    tested = [(name, inside & (recordings.folds == name)) for name in names]
    none = np.array([], int)
    return [Fold(name, np.flatnonzero(inside & ~test), none, np.flatnonzero(test)) for name, test in tested]


def numbered(recordings: Recordings, known: np.ndarray, count: int, seed: int) -> list[Fold]:
    rows = np.flatnonzero(known)
    groups = kin(recordings)[rows]
    most = len(np.unique(groups))
    if not 2 <= count <= most:
        raise DataError(f"expected --folds of 2 to {most}, the groups or files that there are, received {count}")
    place = dealt(recordings.labels[rows], groups, count, seed)
    none = np.array([], int)
    return [Fold(str(n + 1), rows[place != n], none, rows[place == n]) for n in range(count)]


def dealt(labels: np.ndarray, groups: np.ndarray, count: int, seed: int) -> np.ndarray:
    """The fold of each row, from 0: of every class about the same in each, and no group in two.

    A row of several labels counts as one of its rarest.
    """
    whole = len(np.unique(groups)) < len(groups)
    kind = StratifiedGroupKFold if whole else StratifiedKFold
    splitter = kind(count, shuffle=True, random_state=seed)
    kinds = labels if labels.ndim == 1 else rarest(labels)
    place = np.zeros(len(labels), int)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class")  # it is tested on in fewer folds
        for number, (_, test) in enumerate(splitter.split(kinds, kinds, groups if whole else None)):
            place[test] = number
    return place


def rarest(labels: np.ndarray) -> np.ndarray:
    """The class of [n, classes] that a row shares with the fewest others; -1 for a row of none."""
    counts = np.where(labels > 0, (labels > 0).sum(axis=0), np.inf)
    return np.where(labels.max(axis=1) > 0, counts.argmin(axis=1), -1)


def check(fold: Fold, recordings: Recordings) -> None:
    """Something to fit and something to test; what training knows of the test, and what it cannot know, is said."""
    train, test = recordings.where(fold.train), recordings.where(fold.test)
    present = classes_in(train.labels)
    if not len(test) or len(present) < (2 if train.labels.ndim == 1 else 1):
        raise DataError(
            f"{recordings.source}, {fold.name}: expected recordings of two classes to train on and some to test on, "
            f"received {len(train)} of {len(present)} and {len(test)}"
        )
    absent = [recordings.classes[n] for n in sorted(classes_in(test.labels) - present)]
    if absent:
        warnings.warn(
            f"{fold.name}: classes that are tested on without a recording to train on: {', '.join(absent[:10])}",
            stacklevel=3,
        )
    say_leaks(train, [test], where=f"{fold.name}: ")


def classes_in(labels: np.ndarray) -> set[int]:
    found = np.unique(labels) if labels.ndim == 1 else np.flatnonzero(labels.max(axis=0, initial=0) > 0)
    return set(found.tolist())
