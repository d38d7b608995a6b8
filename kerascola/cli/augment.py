"""Look at and listen to what a recipe does to sounds before the encoder gets them.

`preview` draws the views of one clip as a training step would make them, each before and after its augmentations,
and writes what can be heard as wav files beside the picture.
"""

import argparse
from pathlib import Path

from kerascola.cli.recipes import add_changes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    preview = actions.add_parser("preview", help="draw the views of a clip, before and after")
    preview.add_argument("files", nargs="+", metavar="FILE", help="a recording; more of them are mixed into the first")
    preview.add_argument("--recipe", default="cola", help="a recipe's name or a YAML file; default: %(default)s")
    preview.add_argument("--out", default="preview.png", metavar="PNG", help="default: %(default)s, and wavs beside it")
    preview.add_argument("--seed", type=int, default=0, help="another number draws others; default: %(default)s")
    add_changes(preview)


def run(args: argparse.Namespace) -> int:
    from kerascola import recipes
    from kerascola.cli.quiet import import_keras

    recipe = recipes.load(args.recipe, args.changes)
    import_keras()
    from kerascola.evaluation.preview import draw, preview, write_wavs

    found = preview(recipe, args.files, args.seed)
    for number, view in enumerate(found.views, 1):
        print(f"view {number}: {view.text}")
    draw(found, Path(args.out))
    wavs = write_wavs(found, Path(args.out))
    print("\n".join([args.out, *map(str, wavs)]))
    return 0
