"""Cards: Markdown of each record, beside the index. `python -m kerascola.zoo.cards [FOLDER]` writes them anew."""

import sys
from collections.abc import Sequence
from pathlib import Path

from kerascola.runtime.catalogue import open_zoo, shipped
from kerascola.runtime.record import Metric, Record

FIGURES = ("", "metric", "value", "95 % of draws", "random weights")
LOG = ("what was tried", "what it gave", "what it cost")


def card(record: Record) -> str:
    """Of the record alone, always the same."""
    keras, onnx = (record.files[kind] for kind in ("keras", "onnx"))
    seconds = record.window_samples / record.sample_rate
    parts = [
        f"# {record.name}",
        record.summary,
        table(
            ("", ""),
            [
                (
                    "encoder",
                    f"{record.encoder}, {record.parameters:,} weights, embeddings of {record.dimension} numbers",
                ),
                ("front end", front_end(record)),
                (
                    "sound",
                    f"{record.sample_rate:,} Hz, windows of {seconds:g} s, {record.min_samples:,} samples or more",
                ),
                ("trained on", f"{record.data}: {record.hours:g} hours, on {record.backend}"),
                ("recipe", f"`{record.recipe}`"),
                ("licence", record.licence),
                ("files", f"{record.name}.keras {keras.bytes / 1e6:.1f} MB, .onnx {onnx.bytes / 1e6:.1f} MB"),
            ],
        ),
        "## How to use it",
        f'```python\nfrom kerascola import Embedder\n\nembed = Embedder("{record.name}")\nvector = embed("sound.wav")  '
        f"# float32 [{record.dimension}]\n```",
        "As a plain Keras file, without kerascola, on TensorFlow, JAX or torch (`kerascola zoo get` brings it):",
        f'```python\nimport keras\n\nmodel = keras.saving.load_model("{record.name}.keras")\nvectors = model(waves)  '
        f"# [batch, samples at {record.sample_rate} Hz] -> [batch, {record.dimension}]\n```",
        "## Figures",
        table(FIGURES, [figures(one) for one in record.metrics]) if record.metrics else "None were taken.",
        "## How it was made",
        f"```\n{record.command}\n```",
        "With " + ", ".join(f"{name} {version}" for name, version in sorted(record.versions.items())) + ".",
        *(
            ["## What was tried", table(LOG, [(one.tried, one.gave, one.cost) for one in record.trials])]
            * bool(record.trials)
        ),
        "## The same everywhere",
        "Weights outside the front end are kept in float16, in both files. Measured while shipping:",
        table(("", ""), [(key.replace("_", " "), f"{value:.7g}") for key, value in sorted(record.parity.items())]),
        f"The first numbers of the embedding of a known sound of {record.golden.samples:,} samples are "
        f"{', '.join(f'{value:g}' for value in record.golden.embedding[:4])}, within "
        f"{record.golden.tolerance['keras']:.1g} of the Keras file and {record.golden.tolerance['onnx']:.1g} of the "
        f"ONNX file (`kerascola zoo verify {record.name}`).",
        "## Limits",
        "\n".join(f"- {line}" for line in (*record.limits, *limits(record))),
        "## Checksums",
        f"```\n{keras.sha256}  {record.name}.keras\n{onnx.sha256}  {record.name}.onnx\n```",
    ]
    return "\n\n".join(parts) + "\n"


def limits(record: Record) -> list[str]:
    """What follows from how it is built."""
    half, least = record.sample_rate // 2, 1000 * record.min_samples / record.sample_rate
    return [
        f"It hears nothing above {half:,} Hz.",
        f"Below {least:.0f} ms the Keras model is undefined; `Embedder` adds silence.",
    ]


def front_end(record: Record) -> str:
    known = {key: value for key, value in record.frontend.items() if key != "name" and plain(value)}
    return f"{record.frontend.get('name', 'inside')} ({', '.join(f'{key} {value}' for key, value in known.items())})"


def plain(value: object) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def figures(one: Metric) -> tuple[str, ...]:
    beside = "" if one.random is None else f"{one.random:.3f}"
    if one.spread is not None:
        beside += f" ± {one.spread:.3f} over {one.seeds} seeds"
    low, high = one.interval
    return one.protocol, one.metric.replace("_", " "), f"{one.value:.3f}", f"{low:.3f} to {high:.3f}", beside


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(escaped(cell) for cell in line)} |" for line in lines)


def escaped(cell: str) -> str:
    return " ".join(cell.replace("|", "\\|").split())


def write_cards(folder: Path) -> list[Path]:
    """Those of the zoo in a folder, and no others."""
    cards = {f"{name}.md": card(record) for name, record in open_zoo(str(folder)).records.items()}
    place = folder / "cards"
    place.mkdir(exist_ok=True)
    for old in place.glob("*.md"):
        if old.name not in cards:
            old.unlink()
    for name, text in cards.items():
        (place / name).write_text(text, encoding="utf-8")
    return [place / name for name in sorted(cards)]


def stale(folder: Path) -> list[str]:
    """The cards that are not what the records say, or that have none."""
    expected = {f"{name}.md": card(record) for name, record in open_zoo(str(folder)).records.items()}
    found = {path.name: path.read_text(encoding="utf-8") for path in (folder / "cards").glob("*.md")}
    return sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))


if __name__ == "__main__":
    for written in write_cards(Path(sys.argv[1]) if sys.argv[1:] else shipped()):
        print(written)
