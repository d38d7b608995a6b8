import sys

import contracts
import keras
import numpy as np
import onnxruntime
import pytest
from keras import layers, ops

from kerascola.encoders import adapters
from kerascola.errors import RecipeError

NARROW = {"alpha": 0.125}  # MobileNet's
RESNET = {
    "input_conv_filters": [64],
    "input_conv_kernel_sizes": [7],
    "stackwise_num_filters": [64, 64],
    "stackwise_num_blocks": [1, 1],
    "stackwise_num_strides": [1, 2],
    "block_type": "basic_block",
}
RESNET_V2 = {
    "stackwise_filters": [64, 128],
    "stackwise_blocks": [2, 2],
    "stackwise_strides": [1, 2],
    "block_type": "basic_block",
}
MOBILENET = {  # of keras-hub, whose blocks are layers of its own
    "stackwise_expansion": [[16]],
    "stackwise_num_blocks": [1],
    "stackwise_num_filters": [[16]],
    "stackwise_kernel_size": [[3]],
    "stackwise_num_strides": [[2]],
    "stackwise_se_ratio": [[None]],
    "stackwise_activation": [["relu"]],
    "stackwise_padding": [[1]],
    "output_num_filters": 24,
    "depthwise_filters": 8,
    "depthwise_stride": 2,
    "depthwise_residual": False,
    "last_layer_filter": 32,
    "squeeze_and_excite": 0.5,
}


def spectrograms(batch: int, frames: int, *tail: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(batch, frames, *tail)).astype(np.float32)


def needs(package: str) -> None:
    reason = f'{package} is not installed: pip install "kerascola[adapters]"'
    pytest.importorskip(package, reason=reason, exc_type=ImportError)


def tiny(input_shape=None, weights="imagenet", filters=8, include_top=True):
    """What a network of keras.applications is like: pixels scaled, strides with "same"."""
    image = keras.Input(input_shape)
    x = layers.Normalization()(layers.Rescaling(1 / 255)(image))
    x = layers.Conv2D(filters, 3, strides=2, padding="same", activation="relu")(x)
    x = layers.DepthwiseConv2D(5, strides=2, padding="same")(x)
    x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
    x = layers.Conv2D(2 * filters, 2, strides=2, padding="same")(x)
    return keras.Model(image, x, name="tiny")


@pytest.fixture
def application(monkeypatch):
    """Puts a builder among those of keras.applications, as "Tiny"."""
    return lambda builder: monkeypatch.setattr(keras.applications, "Tiny", builder, raising=False)


# keras.applications


def test_the_contract_holds_for_a_narrow_mobilenet(tmp_path):
    def build():
        return adapters.keras_applications(backbone="MobileNet", options=NARROW)

    contracts.check_encoder(build, (64,), 128, 31, tmp_path)
    assert adapters.least_frames(build()) == 31


def test_three_channels_go_in_as_they_are():
    encoder = adapters.keras_applications(bands=40, channels=3, backbone="MobileNet", options=NARROW)
    assert encoder.name == "encoder"
    assert encoder.input.name == "spectrogram"
    assert encoder.input.shape == (None, None, 40, 3)
    assert encoder.predict_on_batch(spectrograms(2, 50, 40, 3)).shape == (2, 128)


def test_nothing_scales_pixels_where_that_is_an_option():
    options = {"alpha": 0.25, "minimalistic": True}
    encoder = adapters.keras_applications(backbone="MobileNetV3Small", options=options)
    assert not any(isinstance(layer, layers.Rescaling) for layer in encoder.layers)


def test_nothing_scales_pixels_where_it_is_no_option(application):
    application(tiny)
    encoder = adapters.keras_applications(backbone="Tiny")
    assert not any(isinstance(layer, layers.Rescaling | layers.Normalization) for layer in encoder.layers)
    contracts.check_plain(encoder)


@pytest.mark.parametrize("pool", ["max", "mean"])
def test_the_pools_average_or_take_the_largest(application, pool):
    application(tiny)
    encoder = adapters.keras_applications(backbone="Tiny", pool=pool)
    x = spectrograms(2, 61, 64)
    features = keras.Model(encoder.input, encoder.layers[-1].output).predict_on_batch(x)
    expected = features.max(axis=(1, 2)) if pool == "max" else features.mean(axis=(1, 2))
    np.testing.assert_allclose(encoder.predict_on_batch(x), expected, atol=1e-5)


@pytest.mark.parametrize(
    "layer", [layers.Conv2D(4, 3, strides=2, padding="same"), layers.MaxPooling2D(3, strides=2, padding="same")]
)
def test_padding_apart_is_same_padding_for_odd_sizes(layer):
    image = keras.Input((None, 33, 1))
    same = keras.Model(image, layer(image))
    apart = adapters.copied(same)
    apart.set_weights(same.get_weights())
    assert apart.layers[-1].padding == "valid"
    x = spectrograms(2, 61, 33, 1) - 5.0  # below zero, where a margin of zeros would be the largest
    np.testing.assert_allclose(apart.predict_on_batch(x), same.predict_on_batch(x), atol=1e-5)


def test_padding_apart_gives_the_lengths_of_same_padding():
    image = keras.Input((None, 33, 1))
    for kernel in range(1, 8):
        for stride in (2, 3, 4):
            model = keras.Model(image, layers.DepthwiseConv2D(kernel, stride, padding="same")(image))
            for frames in (1, 2, 15, 16, 61):
                shape = keras.KerasTensor((1, frames, 33, 1))
                expected = model.compute_output_spec(shape).shape
                assert adapters.copied(model).compute_output_spec(shape).shape == expected


def test_it_lowers_with_an_open_length_from_every_backend(application):
    from kerascola.export.onnx_file import lower_one

    application(tiny)
    encoder = adapters.keras_applications(backbone="Tiny")
    proto = lower_one(encoder, adapters.least_frames(encoder))
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    for frames in (16, 17, 98):
        x = spectrograms(3, frames, 64)
        received = session.run(None, {session.get_inputs()[0].name: x})[0]
        np.testing.assert_allclose(received, encoder.predict_on_batch(x), atol=1e-5)


def test_a_network_that_does_not_take_every_length_has_no_least_one():
    image = keras.Input((None, 16))
    x = ops.reshape(layers.ZeroPadding1D(0)(image), (-1, 4, 16))
    longer = ops.concatenate([ops.repeat(layers.MaxPooling1D(4)(image), 4, axis=1), image], axis=-1)
    encoder = keras.Model(image, [ops.mean(x, axis=1), ops.mean(longer, axis=1)])
    with pytest.raises(RecipeError, match="none up to 64"):
        adapters.least_frames(encoder, limit=64)


def test_an_embedding_that_is_not_finite_is_refused():
    image = keras.Input((None, 16))
    encoder = keras.Model(image, ops.log(ops.mean(image, axis=1)))
    with pytest.raises(RecipeError, match="finite embedding of 16 frames"):
        adapters.least_frames(encoder)


# What a user can put right


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"backbone": "MobilNet"}, "did you mean 'MobileNet'"),
        ({"backbone": "nothing at all"}, "Expected one of: ConvNeXtBase, "),
        ({"pool": "median"}, "expected one of max, mean; received 'median'"),
        ({"options": {"weights": "imagenet"}}, "weights is set by the adapter; .*MobileNetV2 has alpha"),
        ({"options": {"alfa": 0.5}}, "has no 'alfa'; did you mean 'alpha'"),
        ({"options": {"alpha": "wide"}}, r"cannot be built .* 64 bands and 1 channels .*'alpha': 'wide'.* It says: "),
        ({"bands": 16}, "cannot be built .* 16 bands .* at least 32x32"),
    ],
)
def test_errors_say_what_to_do(arguments, message):
    with pytest.raises(RecipeError, match=message):
        adapters.keras_applications(**arguments)


@pytest.mark.parametrize(
    ("output", "gives"),
    [(lambda x: layers.GlobalMaxPooling2D()(x), r"\[None, 16\]"), (lambda x: {"P2": x}, "dict")],
)
def test_a_backbone_that_gives_no_map_is_refused(application, output, gives):
    def builder(input_shape=None):
        model = tiny(input_shape)
        return keras.Model(model.input, output(model.output))

    application(builder)
    with pytest.raises(RecipeError, match=rf"\[batch, time, frequency, features\] .* gives {gives}"):
        adapters.keras_applications(backbone="Tiny")


def test_layers_that_cannot_be_made_anew_are_refused(application):
    class Forgetful(layers.Layer):
        def __init__(self, factor, **kwargs):
            super().__init__(**kwargs)
            self.factor = factor

        def call(self, x):
            return x * self.factor

        def get_config(self):
            return super(layers.Layer, self).get_config()

    def builder(input_shape=None):
        model = tiny(input_shape)
        return keras.Model(model.input, Forgetful(2.0)(model.output))

    application(builder)
    with pytest.raises(RecipeError, match="made anew from their configuration"):
        adapters.keras_applications(backbone="Tiny")


@pytest.mark.parametrize("library", ["keras_hub", "keras_cv"])
def test_a_missing_package_says_which_extra(monkeypatch, library):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(RecipeError, match=r'not installed.*pip install "kerascola\[adapters\]"') as caught:
        getattr(adapters, library)()
    assert ("superseded" in str(caught.value)) == (library == "keras_cv")


def test_a_keras_cv_that_does_not_import_says_why_and_what_instead():
    message = adapters.unavailable("keras_cv", ImportError("KerasCV uses TensorFlow"))
    assert "KerasCV uses TensorFlow" in message
    assert "needs TensorFlow on every backend" in message
    assert "superseded by keras-hub" in message


# keras-hub


def test_the_contract_holds_for_a_narrow_resnet_of_keras_hub(tmp_path):
    needs("keras_hub")
    contracts.check_encoder(lambda: adapters.keras_hub(options=RESNET), (64,), 64, 16, tmp_path)


def test_keras_hub_takes_three_channels():
    needs("keras_hub")
    encoder = adapters.keras_hub(bands=40, channels=3, options=RESNET, pool="max")
    assert encoder.predict_on_batch(spectrograms(2, 20, 40, 3)).shape == (2, 64)


def test_without_options_the_default_of_keras_hub_is_a_resnet_18():
    needs("keras_hub")
    # torchvision's 11,689,512, less the classifier's 513,000, less 2 x 49 x 64 for the one channel
    encoder = adapters.keras_hub()
    assert contracts.trainable(encoder) == 11_689_512 - 513_000 - 6272


def test_layers_of_keras_hubs_own_are_named_and_still_saved(tmp_path):
    needs("keras_hub")
    with pytest.warns(UserWarning, match="ConvBnActBlock, .* where keras_hub is installed"):
        encoder = adapters.keras_hub(backbone="MobileNetBackbone", options=MOBILENET)
    contracts.check_saved(encoder, spectrograms(2, 40, 64), tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"backbone": "ResNetBackbon"}, "did you mean 'ResNetBackbone'"),
        ({"backbone": "BertBackbone"}, "has no image backbone 'BertBackbone'"),
        ({"backbone": "VGGBackbone"}, "needs stackwise_num_repeats, stackwise_num_filters; received none"),
        ({"options": RESNET | {"block_type": "round"}}, "cannot be built .* It says: .*block_type"),
        (
            {
                "backbone": "ViTBackbone",
                "options": {"patch_size": 16, "num_layers": 1, "num_heads": 1, "hidden_dim": 8, "mlp_dim": 8},
            },
            "cannot be built for any number of frames",
        ),
    ],
)
def test_what_keras_hub_cannot_do_is_said(arguments, message):
    needs("keras_hub")
    with pytest.raises(RecipeError, match=f"(?s){message}"):
        adapters.keras_hub(**arguments)


# keras-cv


def test_the_contract_holds_for_a_narrow_resnet_of_keras_cv(tmp_path):
    needs("keras_cv")
    contracts.check_encoder(lambda: adapters.keras_cv(options=RESNET_V2), (64,), 128, 16, tmp_path)


def test_the_sizes_that_keras_cv_would_fetch_are_refused():
    needs("keras_cv")
    with pytest.raises(RecipeError, match="without fetching anything; did you mean .*'ResNetV2Backbone'"):
        adapters.keras_cv(backbone="ResNet18V2Backbone")
