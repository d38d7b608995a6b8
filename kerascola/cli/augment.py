"""Look at and listen to what a recipe does to sounds before the encoder gets them.

`list` names the augmentations. `preview` draws the views of one clip as a training step would make them, each before
and after its augmentations, and writes what can be heard as wav files beside the picture.
"""

import argparse
import sys
from pathlib import Path

from kerascola.cli.recipes import add_changes
from kerascola.errors import RecipeError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("list", help="every augmentation, what it does, its parameters and their defaults")
    preview = actions.add_parser("preview", help="draw the views of a clip, before and after")
    preview.add_argument("files", nargs="+", metavar="FILE", help="a recording; more of them are mixed into the first")
    preview.add_argument("--recipe", default="cola", help="a recipe's name or a YAML file; default: %(default)s")
    preview.add_argument("--out", default="preview.png", metavar="PNG", help="default: %(default)s, and wavs beside it")
    preview.add_argument("--seed", type=int, default=0, help="another number draws others; default: %(default)s")
    add_changes(preview)


def run(args: argparse.Namespace) -> int:
    if args.action == "list":
        show_all()
    else:
        show(args)
    return 0


def show_all() -> None:
    """As recipes write them, each under what it does."""
    from dataclasses import fields

    import yaml

    from kerascola.recipes.schema import parts

    for place in ("views.waveform", "views.spectrogram"):
        print(f"{place}:")
        for name, kind in parts(place).items():
            said = {field.name: getattr(kind(), field.name) for field in fields(kind) if field.name != "name"}
            plain = {key: list(value) if isinstance(value, tuple) else value for key, value in said.items()}
            written = yaml.safe_dump({"name": name, **plain}, default_flow_style=True, sort_keys=False, width=10**6)
            about = " ".join((kind.__doc__ or "").split("\n\n")[0].split())
            print(f"  # {about}\n  - {written.strip()}")


def show(args: argparse.Namespace) -> None:
    from kerascola import recipes
    from kerascola.cli.quiet import import_keras

    out = Path(args.out)
    if out.suffix != ".png":
        raise RecipeError(f"expected --out to end in .png, received {args.out}")
    if not 0 <= args.seed < 2**32:
        raise RecipeError(f"expected --seed from 0 and below 2 ** 32, received {args.seed}")
    recipe = recipes.load(args.recipe, args.changes)
    out.parent.mkdir(parents=True, exist_ok=True)
    mixing = [a.name for a in (*recipe.views.waveform, *recipe.views.spectrogram) if a.mixes]
    if mixing and len(args.files) == 1:
        print(f"{' and '.join(mixing)}: with nothing but itself, for want of a second FILE", file=sys.stderr)
    import_keras()
    from kerascola.evaluation.preview import draw, preview, write_wavs

    found = preview(recipe, args.files, args.seed)
    for number, view in enumerate(found.views, 1):
        print(f"view {number}: {view.text}")
    draw(found, out)
    wavs = write_wavs(found, out)
    print("\n".join([args.out, *map(str, wavs)]))
