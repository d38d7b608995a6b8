"""Show the whole path on synthesised sounds: train, export, verify, embed, and what came out.

Makes short sounds, pre-trains a small encoder on them, exports it to ONNX and embeds sounds that it never heard
with onnxruntime alone. The question: does a sound's first half find its second half among all the others?
"""

import argparse
import shutil
import subprocess
import sys
import time
from pathlib import Path

from kerascola.cli.recipes import add_changes

TRAINING, HELD_OUT, SECONDS = 640, 480, 3.0
MARK = "made-by-kerascola-demo"  # a folder without this file is not a demo's
FOLDERS = ("sounds", "training")
FILES = ("report.png", *(f"{name}.{kind}" for name in ("untrained", "model") for kind in ("keras", "onnx", "npz")))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--run", default="runs/demo", metavar="DIR", help="default: %(default)s")
    add_changes(parser)


def run(args: argparse.Namespace) -> int:
    from kerascola import recipes
    from kerascola.cli.quiet import import_keras

    import_keras()
    began = time.monotonic()
    recipe = recipes.load("demo", args.changes)
    folder = fresh(Path(args.run))

    say(f"1/5 synthesising {TRAINING} sounds to train on and {HELD_OUT} to test with, {SECONDS:g} s each")
    classes = synthesise(folder)

    say("2/5 pre-training (COLA: two stretches of one sound belong together)")
    from kerascola.models.embedder import save_embedder
    from kerascola.training.assembly import build, shipped
    from kerascola.training.pretrain import pretrain
    from kerascola.training.run import Run

    pretrainer, metadata = build(recipe, steps_per_epoch=1)
    save_embedder(*shipped(recipe, pretrainer, metadata), folder / "untrained.keras")
    training = Run(folder / "training")
    pretrain(recipe, folder / "sounds" / "training", training)
    shutil.copy(training.model, folder / "model.keras")

    say("3/5 exporting to ONNX, and verifying what was written")
    from kerascola.export import export

    for name in ("untrained", "model"):
        exported = export(folder / f"{name}.keras", folder / f"{name}.onnx", say=lambda line: None)
    found = exported.verified
    print(f"  model.onnx agrees with Keras within {found['max_difference']:.1e} (cosine {found['min_cosine']:.7f})")

    say("4/5 embedding the held-out halves with onnxruntime alone")
    for name in ("untrained", "model"):
        embed(folder / f"{name}.onnx", folder / "sounds" / "held-out", folder / f"{name}.npz")

    say("5/5 what came out")
    halved = show(folder, classes, [row["loss"] for row in training.history], recipe.train.batch_size)
    print(f"\n{folder}/report.png   the picture\n{folder}/model.onnx   the encoder: try `kerascola embed`")
    print(f"done in {time.monotonic() - began:.0f} s")
    if not halved and not args.changes:
        print("error: training was expected to at least halve the share of halves not found", file=sys.stderr)
        return 1
    return 0


def say(line: str) -> None:
    print(f"\n{line}", flush=True)


def fresh(folder: Path) -> Path:
    """What an earlier demo made is replaced; nothing else is ever deleted."""
    from kerascola.errors import RecipeError

    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()) and not (folder / MARK).is_file():
        raise RecipeError(f"{folder} is not empty and holds no earlier demo: name another folder by --run")
    (folder / MARK).touch()
    for name in FOLDERS:
        if (folder / name).exists():
            shutil.rmtree(folder / name)
    for name in FILES:
        (folder / name).unlink(missing_ok=True)
    return folder


def synthesise(folder: Path) -> list[str]:
    """Writes the training sounds and the halves of the held-out ones; returns the class of each of those."""
    from kerascola.data.events import write_halves, write_sounds

    write_sounds(folder / "sounds" / "training", TRAINING, SECONDS, seed=0)
    paths = write_halves(folder / "sounds" / "held-out", HELD_OUT, SECONDS, seed=1)
    return [path.stem.partition("-")[0] for path in paths]


def embed(model: Path, sounds: Path, out: Path) -> None:
    command = [sys.executable, "-m", "kerascola.cli", "embed", str(model), str(sounds), "--out", str(out)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def show(folder: Path, classes: list[str], losses: list[float], batch_size: int) -> bool:
    """Prints the table and draws the picture; whether training at least halved the error at 1."""
    import math

    import numpy as np

    from kerascola.evaluation.picture import report
    from kerascola.evaluation.retrieval import retrieve, similarities

    rows, matrices, vectors = {}, {}, {}
    for name in ("untrained", "model"):
        with np.load(folder / f"{name}.npz") as saved:  # in order of path: the first halves, then the second
            vectors[name] = saved["embedding"]
        first, second = np.split(vectors[name], 2)
        matrices[name] = similarities(first, second)
        rows[name] = retrieve(matrices[name])
    before, after = rows["untrained"], rows["model"]
    chance = 1 / len(classes)
    print(f"  is a held-out sound's other half found among {len(classes)}?\n")
    print(f"  {'':14}{'recall@1':>10}{'recall@5':>10}{'MRR':>8}")
    for label, row in (("untrained", before), ("pre-trained", after)):
        print(f"  {label:14}{row.recall_at_1:10.3f}{row.recall_at_5:10.3f}{row.mean_reciprocal_rank:8.3f}")
    print(
        f"  {'chance':14}{chance:10.3f}{5 * chance:10.3f}{sum(1 / r for r in range(1, len(classes) + 1)) * chance:8.3f}"
    )
    report(
        folder / "report.png",
        f"kerascola demo: recall@1 of a sound's other half among {len(classes)} held-out sounds: "
        f"{before.recall_at_1:.2f} untrained, {after.recall_at_1:.2f} pre-trained, {chance:.3f} by chance",
        losses,
        math.log(batch_size),
        matrices["model"],
        vectors["model"],
        classes,
    )
    return 1 - after.recall_at_1 <= (1 - before.recall_at_1) / 2
