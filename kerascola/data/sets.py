"""Which recordings are trained on and which are tested on, and which of their labels may be known."""

import os
import warnings

import numpy as np

from kerascola.data.draws import held_out, kept, unlabelled
from kerascola.data.manifest import TRAIN
from kerascola.data.recordings import FAIL, Recordings
from kerascola.errors import DataError
from kerascola.recipes.schema import Data, Recipe

VALID = "valid", "validation", "val", "dev"
Sets = dict[str, Recordings]


def recordings_of(
    section: Data, data: str, rate: int, on_bad_file: str = FAIL, classes: tuple[str, ...] | None = None
) -> Recordings:
    return Recordings(data, rate, on_bad_file, label=section.label, multi=section.multi_label, classes=classes)


def where_labels_are(section: Data) -> str:
    return f"they are the names of the sub-folders that recordings are in, or the column {section.label} of a list"


def to_pretrain(section: Data, data: str, rate: int, on_bad_file: str = FAIL) -> Recordings:
    """Those of the split that the recipe names; of `train` if it names none and there are such."""
    found = recordings_of(section, data, rate, on_bad_file)
    split = section.split or (TRAIN if TRAIN in found.splits else "")
    if not split:
        return found
    chosen = found.where(found.splits == split)
    if not len(chosen):
        names = ", ".join(sorted(set(found.splits) - {""})) or "no split"
        raise DataError(f"{data} has no recording of the split {split!r}: it has {names}. See data.split")
    if len(chosen) < len(found) and not section.split:
        text = f"{len(chosen)} of {len(found)} recordings: those of the split {TRAIN}. See data.split"
        warnings.warn(text, stacklevel=2)
    return chosen


def to_finetune(recipe: Recipe, data: str, rate: int, test: str | None = None, on_bad_file: str = FAIL) -> Sets:
    """By the list's own splits; where it has but one, `test` is tested on, or a share that is held out of `data`."""
    section = recipe.data
    found = recordings_of(section, data, rate, on_bad_file)
    if not found.classes:
        raise DataError(f"{data} has no labels: {where_labels_are(section)}. Another column: --label")
    names = sorted(set(found.splits.tolist()) - {""})
    if names and TRAIN not in names:
        raise DataError(f"{data} has the splits {', '.join(names)}: expected one named {TRAIN}")
    sets = {name: found.where(found.splits == name) for name in names} or {TRAIN: found}
    if test:
        if "test" in sets:
            warnings.warn(f"{data}: its own split test is passed over for {test}", stacklevel=2)
        other = recordings_of(section, test, rate, on_bad_file, found.classes)
        sets["test"] = other.where(other.splits == "test") if "test" in other.splits else other
    elif not set(sets) - {TRAIN, *VALID}:
        whole = sets[TRAIN]
        chosen = held_out(whole.labels, kin(whole), recipe.finetune.holdout, recipe.finetune.train.seed)
        sets |= {TRAIN: whole.where(~chosen), "test": whole.where(chosen)}
    if outside := sum(found.splits == "") if names else 0:
        warnings.warn(f"{data}: {outside} recordings are of no split, and left out", stacklevel=2)
    return checked(sets)


def kin(recordings: Recordings) -> np.ndarray:
    """The group of each, or else the file that it is of."""
    return np.where(recordings.groups == "", recordings.origins, recordings.groups).astype(str)


def checked(sets: Sets) -> Sets:
    """Each of them with labels; what is trained on and tested on, too, is said."""
    for name in sorted(sets.keys() - {TRAIN}):
        if "/" in name:
            raise DataError(f"expected splits whose names may be in a file's, received {name!r}")
        if unlabelled(sets[name].labels).all():
            if name in ("test", *VALID):
                raise DataError(f"{sets[name].source}: expected labels of the recordings of {name}, received none")
            warnings.warn(f"{sets[name].source}: no recording of the split {name} has a label", stacklevel=3)
            del sets[name]
    say_leaks(sets[TRAIN], [part for name, part in sets.items() if name != TRAIN])
    return sets


def say_leaks(training: Recordings, tested: list[Recordings], where: str = "") -> None:
    for what, named in (("groups", groups), ("files", files)):
        leaks = sorted(named(training) & set().union(*map(named, tested)))
        if leaks:
            text = f"{where}{len(leaks)} {what} in training that are also tested on: {', '.join(leaks[:10])}"
            warnings.warn(text, stacklevel=4)


def groups(recordings: Recordings) -> set[str]:
    return set(recordings.groups.tolist()) - {""}


def files(recordings: Recordings) -> set[str]:
    return {os.path.realpath(origin) for origin in recordings.origins}


def labelled(recordings: Recordings) -> Recordings:
    without = unlabelled(recordings.labels)
    if without.any():
        warnings.warn(f"{recordings.source}: {without.sum()} recordings without a label are left out", stacklevel=2)
    return recordings.where(~without)


def of_known_labels(recordings: Recordings, share: float, seed: int) -> Recordings:
    """To train a classifier on: those with a label, and of each class but a share."""
    part = labelled(recordings)
    part = part.where(~unlabelled(kept(part.labels, share, seed)))
    single = part.labels.ndim == 1
    present = np.unique(part.labels) if single else np.flatnonzero(part.labels.max(axis=0, initial=0))
    if len(part) < 2 or len(present) < (2 if single else 1):
        raise DataError(
            f"{recordings.source}: expected recordings of two classes to train on, received {len(part)} of "
            f"{len(present)} (data.labelled={share:g})"
        )
    absent = [name for number, name in enumerate(part.classes) if number not in present]
    if absent:
        warnings.warn(f"classes without a recording to train on: {', '.join(absent[:10])}", stacklevel=2)
    return part
