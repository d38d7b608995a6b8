"""The encoders by name, each with the least number of frames (of samples, for a waveform) that it takes."""

from collections.abc import Callable

import keras

from kerascola.encoders import adapters, convnext, crnn, efficientnet, resnet, resnet1d, small, vgg
from kerascola.encoders.blocks import check_one_of
from kerascola.errors import RecipeError

BUILDERS: dict[str, tuple[Callable[..., keras.Model], int]] = {
    "efficientnet": (efficientnet.efficientnet, efficientnet.MIN_FRAMES),
    "convnext": (convnext.convnext, convnext.MIN_FRAMES),
    "resnet": (resnet.resnet, resnet.MIN_FRAMES),
    "vgg": (vgg.vgg, vgg.MIN_FRAMES),
    "crnn": (crnn.crnn, crnn.MIN_FRAMES),
    "small": (small.small, small.MIN_FRAMES),
    "resnet1d": (resnet1d.resnet1d, resnet1d.MIN_FRAMES),
}
ADAPTERS: dict[str, Callable[..., keras.Model]] = {
    "keras_applications": adapters.keras_applications,
    "keras_hub": adapters.keras_hub,
    "keras_cv": adapters.keras_cv,
}
ON_WAVEFORMS = ("resnet1d",)


def build(name: str, shape: tuple[int, ...], **options) -> tuple[keras.Model, int]:
    """The encoder of what a front end gives, frames of `shape`, and the least number of frames that it takes."""
    check_one_of("encoder", name, [*BUILDERS, *ADAPTERS])
    if (name in ON_WAVEFORMS) != (shape == ()):
        takes, gives = ("a waveform", "a spectrogram") if shape else ("a spectrogram", "a waveform")
        raise RecipeError(
            f"the encoder {name} takes {takes}, the front end gives {gives}: choose another encoder, or the "
            f"front end {'`waveform`' if shape else '`log_mel`'}"
        )
    size = dict(zip(("bands", "channels"), shape, strict=False))
    if name in ADAPTERS:
        encoder = ADAPTERS[name](**size, **options)
        return encoder, adapters.least_frames(encoder)
    builder, least = BUILDERS[name]
    return builder(**size, **options), least
