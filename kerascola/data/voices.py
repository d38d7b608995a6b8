"""Numbers from 0 to 1 that make sounds: what each means, how they are drawn, and how two sounds come to be alike."""

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

LAYERS = 3
KNOTS = 8  # of a gesture, which then begins anew
Scale = Literal["linear", "log", "square", "cube"]


@dataclass(frozen=True)
class Knob:
    """`square` is mostly small, `cube` of either sign and mostly small."""

    low: float
    high: float
    scale: Scale = "linear"

    def at(self, u: Any, ops: Any) -> Any:
        """u in [0, 1] -> what it means."""
        if self.scale == "log":
            return self.low * ops.exp(math.log(self.high / self.low) * u)
        if self.scale == "cube":
            u = 0.5 + 0.5 * (2 * u - 1) ** 3
        return self.low + (self.high - self.low) * (u * u if self.scale == "square" else u)


# A voice. Frequencies in Hz, times in seconds, intervals in octaves.
VOICE = {
    "tonal_db": Knob(-15, 0),  # the three sources
    "modal_db": Knob(-15, 0),
    "noise_db": Knob(-15, 0),
    "pitch": Knob(50, 3000, "log"),
    "glide": Knob(-2, 2, "cube"),  # over an event
    "vibrato_hz": Knob(3, 40, "log"),
    "vibrato": Knob(0, 0.5, "square"),
    "bright": Knob(300, 8000, "log"),  # where partials are 40 dB down
    "ratio": Knob(0.3, 4, "log"),  # of the partials' distance to the pitch, where they are inharmonic
    "fm": Knob(0, 1.2, "square"),  # cycles
    "fm_ratio": Knob(0.25, 6, "log"),
    "fm_decay": Knob(0.02, 1, "log"),
    "mode": Knob(80, 3000, "log"),  # the lowest of a body that rings
    "stretch": Knob(1.15, 2.2),  # from one to the next
    "ring": Knob(0.01, 1.2, "log"),
    "damping": Knob(0, 1.5),  # higher ones ring less
    "sparse": Knob(0.5, 3.3),  # deviations that noise must exceed to be heard
    "period": Knob(0.07, 0.9, "log"),  # of events
    "onset": Knob(0, 1),
    "attack": Knob(0.002, 0.15, "log"),
    "decay": Knob(0.02, 0.6, "log"),
    "duty": Knob(0.3, 1),
    "tremolo_hz": Knob(2, 80, "log"),
    "tremolo": Knob(0.3, 1),
    "low": Knob(20, 1500, "log"),  # the band that is left
    "high": Knob(700, 7900, "log"),
    "sweep": Knob(-3, 3, "cube"),  # of the band, over an event
    "tilt": Knob(-9, 3),  # dB an octave
    "formant_1": Knob(250, 1000, "log"),
    "formant_2": Knob(700, 2800, "log"),
    "formant_3": Knob(1800, 4500, "log"),
    "width": Knob(50, 300, "log"),
    "depth": Knob(10, 40),  # dB between formants
    "tempo": Knob(0.06, 1.0, "log"),  # from knot to knot of a gesture
    "shift": Knob(0, KNOTS),
    **{f"mode_{n}": Knob(0.85, 1.15) for n in range(5)},
}
MODES = 5
GESTURE = {  # at each knot
    "formant_1": Knob(-0.7, 0.7),
    "formant_2": Knob(-0.7, 0.7),
    "bend": Knob(-0.4, 0.4, "cube"),
    "level_db": Knob(-24, 0),
    "breath_db": Knob(-20, 20),  # more of the noise, less of the tone
}
SCENE = {
    **{f"layer_db_{n}": Knob(-15, 0) for n in range(LAYERS)},
    "room": Knob(0.05, 1.5, "log"),  # seconds to -60 dB
    "wet_db": Knob(-25, 0),
    "background_db": Knob(-50, -6),
    "slope": Knob(0, 2),  # of the background's power
    "level_db": Knob(-40, -15),
}
# What a voice does at all, and how often.
CHOICES = {
    "tonal": 0.65,
    "modal": 0.35,
    "noise": 0.5,
    "odd": 0.25,  # partials
    "inharmonic": 0.2,
    "fm": 0.3,
    "glide": 0.5,
    "vibrato": 0.35,
    "continuous": 0.3,
    "percussive": 0.5,
    "tremolo": 0.2,
    "sparse": 0.3,
    "band": 0.5,
    "formants": 0.5,
    "gesture": 0.6,
}
SOURCES = "tonal", "modal", "noise"
SCENES = {"second": 0.55, "third": 0.25, "room": 0.5, "background": 0.7}
NUMBERS = {
    "voices": (LAYERS, len(VOICE)),
    "gestures": (LAYERS, KNOTS, len(GESTURE)),
    "scene": (len(SCENE),),
}


def draw(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """One sound: its numbers, uniform in [0, 1], and its choices, 0 or 1."""
    sound = {name: rng.random(shape, np.float32) for name, shape in NUMBERS.items()}
    does = (rng.random((LAYERS, len(CHOICES))) < list(CHOICES.values())).astype(np.float32)
    mute = does[:, : len(SOURCES)].max(axis=1) == 0
    does[mute, rng.integers(len(SOURCES))] = 1
    return {**sound, "does": does, "around": (rng.random(len(SCENES)) < list(SCENES.values())).astype(np.float32)}


def alike(sound: dict[str, np.ndarray], delta: float, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Another of the same choices: each number is moved by delta * N(0, 1), and thrown back where it leaves [0, 1]."""
    moved = {}
    for name, shape in NUMBERS.items():
        u = (sound[name] + delta * rng.standard_normal(shape, np.float32)) % 2
        moved[name] = np.minimum(u, 2 - u)
    return {**sound, **moved}
