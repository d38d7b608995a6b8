"""Write synthesised sounds as wav files, in a sub-folder for each class, for trials.

A class is a sound, drawn by the seed, and others that are like it. The same sounds are made without files while
training: `kerascola pretrain RECIPE --data synth`.
"""

import argparse
from pathlib import Path

from kerascola.errors import DataError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("out", metavar="OUT", help="a folder: new or empty, or one where this was begun before")
    parser.add_argument("--n", type=int, default=1000, metavar="COUNT", help="sounds (default: %(default)s)")
    parser.add_argument("--classes", type=int, default=10, metavar="COUNT", help="default: %(default)s")
    parser.add_argument("--seconds", type=float, default=1.0, metavar="S", help="of each (default: %(default)s)")
    parser.add_argument("--rate", type=int, default=16000, metavar="HZ", help="default: %(default)s")
    parser.add_argument(
        "--delta",
        type=float,
        default=0.1,
        help="how far sounds of a class lie apart, of what each of a sound's numbers may be (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0, help="another number makes others (default: %(default)s)")


def run(args: argparse.Namespace) -> int:
    from kerascola.cli.progress import track
    from kerascola.data.made import write_sounds

    check(args)
    out = Path(args.out)
    made = write_sounds(out, args.n, args.classes, args.seconds, args.rate, args.delta, args.seed)
    for _ in track(made, args.n, "sounds"):
        pass
    print(f"{out}: {args.n} sounds of {args.classes} classes, {args.n * args.seconds / 60:.3g} minutes")
    return 0


def check(args: argparse.Namespace) -> None:
    limits = {"classes": (1, 10**5), "n": (args.classes, 10**7), "seconds": (0.1, 600), "rate": (4000, 192000)}
    limits |= {"delta": (0, 10), "seed": (0, 2**32 - 1)}
    for name, (least, most) in limits.items():
        if not least <= (value := getattr(args, name)) <= most:
            raise DataError(f"expected --{name} from {least:g} to {most:g}, received {value:g}")
