"""List the recipes that come with the package, or show one."""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("list", help="every recipe in a line")
    show = actions.add_parser("show", help="a recipe as written and as it resolves")
    show.add_argument("recipe", help="a recipe's name or a YAML file")
    add_changes(show)


def add_changes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set",
        dest="changes",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change one value of the recipe, as in --set train.batch_size=256; may be repeated",
    )


def run(args: argparse.Namespace) -> int:
    from kerascola import recipes

    if args.action == "list":
        width = max(map(len, recipes.names()))
        for name in recipes.names():
            print(f"{name:{width}}  {recipes.load(name).about}")
    else:
        print(recipes.text(args.recipe))
        print(f"# ---- resolved\n{recipes.load(args.recipe, args.changes).to_yaml()}", end="")
    return 0
