"""Runs whose input and output stay at their place in the provider's memory."""

import threading

import numpy as np
import onnxruntime

from kerascola.runtime.session import INPUT, SAID_ONCE

DEVICES = {"CUDAExecutionProvider": "cuda", "TensorrtExecutionProvider": "cuda", "DmlExecutionProvider": "dml"}
MOST_SHAPES = 8  # whose places are kept, those that were used last

Place = tuple[onnxruntime.OrtValue, onnxruntime.OrtValue, onnxruntime.IOBinding]  # given, found


class Bound:
    """A place for each shape, allocated once. One run at a time."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        provider = session.get_providers()[0]
        self.session, self.device = session, DEVICES.get(provider, "cpu")
        self.number = int(session.get_provider_options()[provider].get("device_id", 0))
        self.lock, self.places = threading.Lock(), dict[tuple[str, tuple[int, ...]], Place]()

    def run(self, output: str, width: int, waveform: np.ndarray) -> np.ndarray:
        with self.lock:
            key = output, waveform.shape
            place = self.places.pop(key, None) or self._place(output, width, waveform.shape)
            self.places[key] = place
            if len(self.places) > MOST_SHAPES:
                del self.places[next(iter(self.places))]
            given, found, binding = place
            given.update_inplace(waveform)
            self.session.run_with_iobinding(binding, SAID_ONCE)
            return np.array(found.numpy())  # of the CPU's own memory it is a view

    def _place(self, output: str, width: int, shape: tuple[int, ...]) -> Place:
        given, found = (
            onnxruntime.OrtValue.ortvalue_from_shape_and_type(size, np.float32, self.device, self.number)
            for size in (shape, (shape[0], width))
        )
        binding = self.session.io_binding()
        binding.bind_ortvalue_input(INPUT, given)
        binding.bind_ortvalue_output(output, found)
        return given, found, binding
