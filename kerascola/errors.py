"""What a user can put right. Each message says what was expected, what was received and what to do."""


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


class TrainingError(KerascolaError):
    """A training that went astray."""


class ExportError(KerascolaError):
    """An artefact that could not be made, or that failed its verification."""
