"""Contrastive audio encoders: embed sound, train on unlabelled recordings."""

import argparse
import io
import sys
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module

import kerascola
from kerascola.cli.unwound import unwound
from kerascola.errors import KerascolaError

# Each is a module here with add_arguments(parser), run(args) and a docstring, its help.
VERBS = (
    *("embed", "pretrain", "finetune", "probe", "compare"),
    *("zoo", "data", "recipes", "augment", "synth", "demo", "doctor"),
)

FORMAT = warnings.formatwarning


def main(argv: Sequence[str] | None = None) -> int:
    arguments = list(sys.argv[1:] if argv is None else argv)
    verb = arguments[0] if arguments and arguments[0] in VERBS else None

    def run() -> int:
        parser = make_parser(verb)
        args = parser.parse_args(arguments)
        if args.verb is None:
            parser.print_help()
            return 0
        return args.command(args)

    return guarded(verb, run)


def guarded(command: str | None, run: Callable[[], int]) -> int:
    """What a user can put right is said in a line, without a traceback."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as stderr is: a file's name need not be UTF-8
    warnings.formatwarning = plain
    try:
        with unwound():
            return run()
    except KerascolaError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        remedy = install_command(command, error.name)
        if remedy is None:
            raise
        program = f"kerascola {command}" if command in VERBS else command
        print(f"{program} needs {error.name}, which is not installed: {remedy}", file=sys.stderr)
        return 1
    except OSError as error:  # a full disk, a folder that may not be written to
        print(f"error: {error.filename}: {error.strerror}" if error.filename else f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def plain(message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None) -> str:
    """Without the line of our code that said so."""
    return f"warning: {message}\n" if category is UserWarning else FORMAT(message, category, filename, lineno, line)


def make_parser(verb: str | None) -> argparse.ArgumentParser:
    """With that verb only, so that its start does not wait for the others; with all of them for None."""
    parser = argparse.ArgumentParser(prog="kerascola", description=__doc__)
    parser.add_argument("--version", action="version", version=f"kerascola {kerascola.__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB")
    for name in VERBS if verb is None else (verb,):
        module = import_module(f"kerascola.cli.{name}")
        text = (module.__doc__ or "").strip()
        sub = verbs.add_parser(name, help=text.splitlines()[0].rstrip("."), description=text)
        module.add_arguments(sub)
        sub.set_defaults(command=module.run)
    return parser


def install_command(verb: str | None, missing: str | None) -> str | None:
    """The pip command that brings a package, None for one that kerascola does not know."""
    from kerascola.cli.doctor import MODULES, NEEDS, RUNTIME, chosen_backend, pip_command

    root = (missing or "").partition(".")[0]
    if root not in MODULES:
        return None
    needs = NEEDS.get(verb or "")
    # A command that needs no extra may do more with one.
    extras = needs.extras if needs and (needs.extras or root in RUNTIME) else ("train",)
    return pip_command(extras, chosen_backend()[0])
