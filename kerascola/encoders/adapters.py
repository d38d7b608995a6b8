"""Backbones of keras.applications, keras-hub and keras-cv as encoders, without pre-trained weights."""

import bisect
import importlib
import inspect
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from kerascola.encoders.blocks import POOLS
from kerascola.errors import RecipeError, nearest

FLOOR = 16  # frames
EXTRA = 'pip install "kerascola[adapters]"'
SUPERSEDED = (
    ". keras-cv 0.9, its last release, needs TensorFlow on every backend, whichever Keras runs on, and is superseded "
    "by keras-hub: use `encoder: {name: keras_hub, ...}`"
)
# No weights are fetched, no classifier is built, and nothing scales what it takes for pixels.
FIXED = {
    "data_format": "channels_last",
    "include_preprocessing": False,
    "include_rescaling": False,
    "include_top": False,
    "weights": None,
}
SHAPES = ("image_shape", "input_shape")
CLOSED = {*FIXED, *SHAPES, "classes", "classifier_activation", "dtype", "input_tensor", "name", "pooling"}
# keras-hub and keras-cv have no sizes of their own: these two are ResNet-18.
DEFAULTS: dict[tuple[str, str], dict[str, Any]] = {
    ("keras_hub", "ResNetBackbone"): {
        "input_conv_filters": [64],
        "input_conv_kernel_sizes": [7],
        "stackwise_num_filters": [64, 128, 256, 512],
        "stackwise_num_blocks": [2, 2, 2, 2],
        "stackwise_num_strides": [1, 2, 2, 2],
        "block_type": "basic_block",
    },
    ("keras_cv", "ResNetV2Backbone"): {
        "stackwise_filters": [64, 128, 256, 512],
        "stackwise_blocks": [2, 2, 2, 2],
        "stackwise_strides": [1, 2, 2, 2],
        "block_type": "basic_block",
    },
}

STRIDING = layers.Conv2D | layers.DepthwiseConv2D | layers.SeparableConv2D | layers.MaxPooling2D
Builder = Callable[..., keras.Model]
Options = dict[str, Any] | None


def keras_applications(
    bands: int = 64, channels: int = 1, backbone: str = "MobileNetV2", pool: str = "mean", options: Options = None
) -> keras.Model:
    """A network of keras.applications; few have options, as MobileNetV2 has {"alpha": 0.5}."""
    known = {name: value for name, value in vars(keras.applications).items() if name[0].isupper() and callable(value)}
    return wrap("keras_applications", known, bands, channels, backbone, pool, options)


def keras_hub(
    bands: int = 64, channels: int = 1, backbone: str = "ResNetBackbone", pool: str = "mean", options: Options = None
) -> keras.Model:
    """An image backbone of keras-hub, of the sizes in `options`; a ResNetBackbone without any is ResNet-18."""
    return wrap("keras_hub", image_backbones("keras_hub"), bands, channels, backbone, pool, options)


def keras_cv(
    bands: int = 64, channels: int = 1, backbone: str = "ResNetV2Backbone", pool: str = "mean", options: Options = None
) -> keras.Model:
    """An image backbone of keras-cv, of the sizes in `options`; a ResNetV2Backbone without any is ResNet-18."""
    return wrap("keras_cv", image_backbones("keras_cv"), bands, channels, backbone, pool, options)


def least_frames(encoder: keras.Model, limit: int = 1024) -> int:
    """The least number of frames, from 16 on, that `encoder` takes.

    Found by halving on the shapes that the layers compute for a length and for the next, so that a network which
    takes only multiples of something is seen; then tried on zeros. Longer inputs only give longer maps. Below 16 a
    map may have a single column for twice as many frames, and torch's exporter takes a size of one for constant.
    """
    bands = encoder.inputs[0].shape[2:]

    last: Exception | None = None

    def fits(frames: int) -> bool:
        nonlocal last
        try:
            for length in (frames, frames + 1):
                encoder.compute_output_spec(keras.KerasTensor((1, length, *bands)))
        except Exception as error:  # a layer that finds its input too short, in its and the backend's own words
            last = error
            return False
        return True

    least = FLOOR + bisect.bisect_left(range(FLOOR, limit + 1), True, key=fits)
    if least > limit:
        raise RecipeError(
            f"expected an encoder that takes any length from some least one on; received none up to {limit} "
            f"frames. It says: {last}"
        ) from last
    for length in (least, least + 1):
        embedding = encoder(np.zeros((1, length, *bands), np.float32), training=False)
        if not ops.convert_to_numpy(ops.all(ops.isfinite(embedding))):
            raise RecipeError(f"expected a finite embedding of {length} frames of zeros; choose another backbone")
    return least


def image_backbones(library: str) -> dict[str, Builder]:
    """The classes of keras_hub or keras_cv that are built from an image's shape and sizes alone."""
    try:
        models = importlib.import_module(library).models
    except Exception as error:
        raise RecipeError(unavailable(library, error)) from error
    classes = {name: value for name, value in vars(models).items() if name.endswith("Backbone")}
    return {
        name: value
        for name, value in classes.items()
        if not signature(value).keys().isdisjoint(SHAPES)
        and "__new__" not in vars(value)  # keras-cv's named sizes, which ask Kaggle for them
    }


def unavailable(library: str, error: Exception) -> str:
    """Why `library` could not be imported, and what to do."""
    missing = isinstance(error, ModuleNotFoundError) and error.name == library
    why = f"{library} is not installed" if missing else f"{library} cannot be imported: {error}"
    return f"encoder.name: {why}. Try: {EXTRA}{remedy(library)}"


def remedy(library: str) -> str:
    return SUPERSEDED if library == "keras_cv" else ""


def wrap(
    library: str, known: dict[str, Builder], bands: int, channels: int, backbone: str, pool: str, options: Options
) -> keras.Model:
    """Spectrogram [batch, frames, bands] or [batch, frames, bands, channels] -> embedding [batch, dimension]."""
    if pool not in POOLS:
        raise RecipeError(f"encoder.pool: expected one of {', '.join(POOLS)}; received {pool!r}")
    if backbone not in known:
        raise RecipeError(
            f"encoder.backbone: {library} has no image backbone {backbone!r} that is built without fetching anything"
            f"{nearest(backbone, known, most=3)} Expected one of: {', '.join(sorted(known))}"
        )
    options = options or DEFAULTS.get((library, backbone), {})
    name = f"{library}'s {backbone}"
    check_options(name, known[backbone], options)
    model = construct(library, name, known[backbone], (None, bands, channels), options)

    # The backbone sees the front end's own channels: without pre-trained weights none needs three of them.
    spectrogram = keras.Input((None, bands) if channels == 1 else (None, bands, channels), name="spectrogram")
    image = ops.expand_dims(spectrogram, -1) if channels == 1 else spectrogram
    try:
        embedding = POOLS[pool](beheaded(model).call(image), axis=(1, 2))
        encoder = copied(keras.Model(spectrogram, embedding, name="encoder"))
    except Exception as error:  # a layer whose get_config() leaves something out, for one
        raise RecipeError(
            f"encoder.backbone: expected layers that can be made anew from their configuration, as a model file needs; "
            f"{name} has some that cannot. Choose another backbone. It says: {error}{remedy(library)}"
        ) from error

    own = sorted(set(foreign(keras.saving.serialize_keras_object(encoder))))
    if own:
        warnings.warn(
            f"{name} has layers that are not Keras's: {', '.join(own)}. A Keras file of this encoder loads only where "
            f"{library} is installed; an ONNX file does not need it",
            stacklevel=3,
        )
    return encoder


def check_options(name: str, builder: Builder, options: dict[str, Any]) -> None:
    """Every option is one that the constructor has and that is the user's to set, and none is missing."""
    parameters = signature(builder)
    open_ = [option for option in parameters if option not in CLOSED]
    for option in options:
        if option in CLOSED:
            raise RecipeError(f"encoder.options: {option} is set by the adapter; {name} has {listed(open_)}")
        if option not in open_:
            raise RecipeError(
                f"encoder.options: {name} has no {option!r}{nearest(option, open_, most=3)} Known: {listed(open_)}"
            )
    missing = [o for o in open_ if parameters[o].default is inspect.Parameter.empty and o not in options]
    if missing:
        raise RecipeError(f"encoder.options: {name} needs {listed(missing)}; received {listed(options)}")


def construct(library: str, name: str, builder: Builder, shape: tuple, options: dict[str, Any]) -> keras.Model:
    """The backbone on [batch, frames, bands, channels], if it gives [batch, time, frequency, features]."""
    fixed = FIXED | dict.fromkeys(SHAPES, shape)
    try:
        model = builder(**{key: value for key, value in fixed.items() if key in signature(builder)}, **options)
        output = model.output
    except Exception as error:  # whatever a library raises where sizes do not fit
        raise RecipeError(
            f"encoder: {name} cannot be built for any number of frames of {shape[1]} bands and {shape[2]} channels "
            f"with the options {options or 'none'}. It says: {str(error).strip() or repr(error)}{remedy(library)}"
        ) from error
    if not isinstance(output, keras.KerasTensor) or len(output.shape) != 4 or output.shape[1] is not None:
        received = [*output.shape] if isinstance(output, keras.KerasTensor) else type(output).__name__
        raise RecipeError(
            f"encoder.backbone: expected one that gives [batch, time, frequency, features] for any number of frames; "
            f"{name} gives {received}. Choose a convolutional backbone"
        )
    return model


def beheaded(model: keras.Model) -> keras.Model:
    """Without the scaling of pixels at its head, which EfficientNet has no option to leave out."""
    head = model.inputs[0]
    for layer in model.layers[1:]:
        if not isinstance(layer, layers.Rescaling | layers.Normalization):
            break
        head = layer.output
    return keras.Model(head, model.output)


def copied(model: keras.Model) -> keras.Model:
    """The same of new layers, each in this one place, and what strides with "same" padded by a step of its own.

    The padding of "same" follows from the length, which does not lower from JAX where the length is open. Lengths
    come out as before; where windows begin may differ by one.
    """
    padding = {}

    def copy(layer):
        config = layer.get_config()
        if isinstance(layer, STRIDING) and layer.padding == "same" and max(layer.strides) > 1:
            config["padding"] = "valid"
            sizes = layer.pool_size if isinstance(layer, layers.MaxPooling2D) else layer.kernel_size
            padding[layer.name] = tuple(((size - 1) // 2, size // 2) for size in sizes)
        return type(layer).from_config(config)

    def call(layer, *args, **kwargs):
        if layer.name in padding:
            margins = padding[layer.name]
            if isinstance(layer, layers.MaxPooling2D):  # no margin may be the largest
                return layer(ops.pad(*args, ((0, 0), *margins, (0, 0)), constant_values=float("-inf")), **kwargs)
            return layer(layers.ZeroPadding2D(margins)(*args), **kwargs)
        return layer(*args, **kwargs)

    return keras.models.clone_model(model, clone_function=copy, call_function=call)


def foreign(config: Any) -> Iterator[str]:
    """The classes in a serialised model, at any depth, that are not Keras's."""
    if isinstance(config, dict):
        if str(config.get("module") or "keras").split(".")[0] not in ("keras", "builtins") or (
            config.get("registered_name") not in (None, config.get("class_name"))
        ):
            yield config["class_name"]
        config = list(config.values())
    if isinstance(config, list | tuple):
        for value in config:
            yield from foreign(value)


def signature(builder: Builder) -> dict[str, inspect.Parameter]:
    """What it takes by name."""
    return {n: p for n, p in inspect.signature(builder).parameters.items() if p.kind != p.VAR_KEYWORD}


def listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
