"""What a user can put right. Each message says what was expected, what was received and what to do."""

import difflib
from collections.abc import Iterable


def nearest(word: str, known: Iterable[str], most: int = 1) -> str:
    """The end of a sentence about an unknown word: what may have been meant."""
    close = difflib.get_close_matches(word, list(known), most, cutoff=0.5)
    return f"; did you mean {' or '.join(map(repr, close))}?" if close else "."


def listing(lines: list[str], most: int = 20) -> str:
    """Indented, each on a line of its own; of many the first."""
    return "\n".join([f"  {line}" for line in lines[:most]] + ["  ..."] * (len(lines) > most))


def shown(value: object, most: int = 80) -> str:
    """What was received, as Python writes it; of what is long the beginning."""
    return shortened(repr(value), most)


def shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 4]} ..."


class KerascolaError(ValueError):
    """Base of the errors below; the command line prints its message without a traceback."""


class AudioError(KerascolaError):
    """Sound that cannot be read or used."""


class ModelError(KerascolaError):
    """A model file that cannot be used."""


class RecipeError(KerascolaError):
    """A recipe or an option of one that does not fit."""


class DataError(KerascolaError):
    """A data set that cannot be trained on."""


class FetchError(KerascolaError):
    """A file that could not be had from the web, or that is not the one that was promised."""


class ZooError(KerascolaError):
    """A zoo that cannot be used, or a checkpoint of one that is not what its record says."""


class TrainingError(KerascolaError):
    """A training that went astray."""


class ExportError(KerascolaError):
    """An artefact that could not be made, or that failed its verification."""
