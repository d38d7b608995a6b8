"""The objectives by name."""

from kerascola.objectives.alignment_uniformity import AlignmentUniformity
from kerascola.objectives.byol import Byol
from kerascola.objectives.clar import Clar
from kerascola.objectives.classify import Classify
from kerascola.objectives.cola import Cola
from kerascola.objectives.nt_xent import NtXent
from kerascola.objectives.objective import Objective
from kerascola.objectives.supcon import SupCon
from kerascola.objectives.vicreg import Vicreg

KINDS: dict[str, type[Objective]] = {
    "cola": Cola,
    "nt_xent": NtXent,
    "supcon": SupCon,
    "clar": Clar,
    "classify": Classify,
    "byol": Byol,
    "vicreg": Vicreg,
    "alignment_uniformity": AlignmentUniformity,
}
OF_CLASSES = ("clar", "classify")


def build(name: str, classes: int, multi: bool = False, **options) -> Objective:
    """`classes` is the number of the labels' values, which some must know; of `multi` a clip may have several."""
    if name in OF_CLASSES:
        options["classes"] = classes
    if name == "classify":
        options["multi"] = multi
    return KINDS[name](**options)
