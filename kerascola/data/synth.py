"""Sounds from the numbers that `voices` says the meaning of, a batch at a time, on the device or in NumPy.

What changes slowly is computed every 2 ms or so, and goes in straight lines between. A voice is a tone of many
partials, a body that rings and noise, each with an envelope of events, through a filter that moves; up to three are
mixed, in a room, before a background. `ops` is keras.ops or `arrays`, NumPy by the same names.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from kerascola.augment.fourier import coloured, constant, convolved
from kerascola.augment.waveform import HEARD_HZ
from kerascola.data.voices import CHOICES, GESTURE, KNOTS, MODES, SCENE, SCENES, SOURCES, VOICE

CONTROL = 32  # samples from one value of what changes slowly to the next
BLOCK = 256  # samples from one filter to the next
OCTAVE = math.log(2)
DECIBEL = math.log(10) / 20
TINY = 1e-12
Normal = Callable  # shape -> standard normal noise


def render(sound: dict[str, Any], samples: int, rate: int, normal: Normal, ops: Any) -> Any:
    """What `voices.draw` gives, stacked to [n, ...] -> float32 [n, samples]."""
    padded = -(-samples // BLOCK) * BLOCK
    noise = normal((ops.shape(sound["scene"])[0], 2 * padded))  # is white: parts of it that overlap are as good as new
    layers = [noise[:, begin : begin + padded] for begin in (0, padded // 2, padded)]
    tail, behind = (noise[:, begin : begin + padded] for begin in (padded // 4, 3 * padded // 4))
    x = voices(sound, rate, ops.stack(layers, axis=1), ops)  # [n, layers, padded]
    scene = {name: knob.at(sound["scene"][:, i : i + 1], ops) for i, (name, knob) in enumerate(SCENE.items())}
    around = {name: sound["around"][:, i : i + 1] for i, name in enumerate(SCENES)}
    loud = [ops.exp(DECIBEL * scene[f"layer_db_{n}"]) for n in range(x.shape[1])]
    there = [1.0, around["second"], around["second"] * around["third"]]
    x = unit(x, ops)
    mixed = sum(gain * on * x[:, n] for n, (gain, on) in enumerate(zip(loud, there, strict=True)))
    mixed = unit(mixed, ops)
    wet = around["room"] * ops.exp(DECIBEL * scene["wet_db"])
    mixed = unit(mixed + wet * unit(reverberated(mixed, scene["room"] * rate, tail, ops), ops), ops)
    murmur = coloured(behind, scene["slope"][:, 0], 0 * scene["slope"][:, 0] + HEARD_HZ / rate, ops)
    faint = around["background"] * ops.exp(DECIBEL * scene["background_db"]) + 1e-4
    mixed = mixed + faint * unit(murmur, ops)
    return (ops.exp(DECIBEL * scene["level_db"]) * mixed)[:, :samples]


def voices(sound: dict[str, Any], rate: int, noise: Any, ops: Any) -> Any:
    """With noise [n, layers, samples] -> [n, layers, samples], of any level."""
    v = {name: knob.at(sound["voices"][..., i : i + 1], ops) for i, (name, knob) in enumerate(VOICE.items())}
    does = {name: sound["does"][..., i : i + 1] for i, name in enumerate(CHOICES)}
    frames = noise.shape[-1] // CONTROL + 1
    t = constant(np.arange(frames) * (CONTROL / rate), ops)  # [frames]; the rest is [n, layers, frames]
    knots = gestures(sound["gestures"], v, does["gesture"], t, ops)

    turn = t / v["period"] + v["onset"]
    within = (turn - ops.floor(turn)) * (1 - does["continuous"])
    since = within * v["period"]
    envelope = events(since, v, does, ops)
    tremble = 0.5 * does["tremolo"] * v["tremolo"] * (1 + sine(t * v["tremolo_hz"], ops))
    envelope = envelope * (1 - tremble) * ops.exp(DECIBEL * knots["level_db"])

    octaves = does["glide"] * v["glide"] * within + does["vibrato"] * v["vibrato"] * sine(t * v["vibrato_hz"], ops)
    pitch = ops.minimum(v["pitch"] * ops.exp(OCTAVE * (octaves + knots["bend"])), 0.45 * rate)
    airy = ops.exp(DECIBEL * ops.clip(knots["breath_db"], 0, 20))
    toneless = ops.exp(DECIBEL * ops.clip(knots["breath_db"], -20, 0))
    gain = {name: does[name] * ops.exp(DECIBEL * v[f"{name}_db"]) for name in SOURCES}
    x = stretched(gain["tonal"] * envelope / airy, ops) * tone(pitch, since, v, does, rate, ops)
    x = x + stretched(gain["noise"] * envelope * toneless, ops) * crackle(noise, v, does, ops)
    x = x + ringing(gain["modal"], since, t, v, rate, ops)
    every = BLOCK // CONTROL
    moving = {"within": within, **knots}
    gains = response({k: m[..., ::every] for k, m in moving.items()}, v, does, rate, ops)
    return moved_through(x, gains, ops)


def gestures(numbers: Any, v: dict, on: Any, t: Any, ops: Any) -> dict[str, Any]:
    """Each along its knots, round and round."""
    place = t / v["tempo"] + v["shift"]
    away = ops.expand_dims(place, -1) - constant(np.arange(KNOTS), ops) + KNOTS / 2
    away = ops.abs(away - KNOTS * ops.floor(away / KNOTS) - KNOTS / 2)
    near = ops.maximum(1 - away, 0.0)
    near = near * near * (3 - 2 * near)  # [n, layers, frames, knots]
    return {
        name: on * ops.sum(near * ops.expand_dims(knob.at(numbers[..., i], ops), 2), axis=-1)
        for i, (name, knob) in enumerate(GESTURE.items())
    }


def events(since: Any, v: dict, does: dict, ops: Any) -> Any:
    """How loud, so many seconds since an event began."""
    rise = ops.minimum(since / v["attack"], 1.0)
    struck = rise * ops.exp(-ops.maximum(since - v["attack"], 0.0) / v["decay"])
    held = ops.minimum(rise, ops.clip((v["duty"] * v["period"] - since) / v["attack"], 0.0, 1.0))
    held = held * held * (3 - 2 * held)
    each = does["percussive"] * struck + (1 - does["percussive"]) * held
    return does["continuous"] + (1 - does["continuous"]) * each


def tone(pitch: Any, since: Any, v: dict, does: dict, rate: int, ops: Any) -> Any:
    """Partials at the pitch and at equal distances above, each weaker by a factor r: their sum in closed form."""
    apart = 1 + does["odd"] + does["inharmonic"] * (v["ratio"] - 1 - does["odd"])
    r = ops.exp(math.log(0.01) * apart * pitch / ops.minimum(v["bright"], 0.45 * rate))
    index = does["fm"] * v["fm"] * ops.exp(-since / v["fm_decay"])
    bent = stretched(index, ops) * sine(cycles(v["fm_ratio"] * pitch, rate, ops), ops)
    first, step, r = cycles(pitch, rate, ops) + bent, cycles(apart * pitch, rate, ops), stretched(r, ops)
    above = sine(first, ops) - r * sine(first - step, ops)
    return above / (1 + r * r - 2 * r * sine(step + 0.25, ops)) * ops.sqrt(2 * (1 - r * r))


def crackle(noise: Any, v: dict, does: dict, ops: Any) -> Any:
    """Noise, or its peaks alone, of about the same power."""
    least = does["sparse"] * v["sparse"]
    rarer = ops.exp(0.25 * least * least) / ops.sqrt(1 + least)
    return ops.where(ops.abs(noise) >= least, noise * rarer, 0.0)


def ringing(gain: Any, since: Any, t: Any, v: dict, rate: int, ops: Any) -> Any:
    """Modes that an event strikes. As each keeps its frequency, a product of matrices makes all samples between."""
    places = np.arange(MODES)
    apart = ops.concatenate([v[f"mode_{n}"] * v["stretch"] ** n for n in places], axis=-1)  # [n, layers, modes]
    hz, decay = v["mode"] * apart, v["ring"] * ops.exp(-v["damping"] * ops.log(apart))
    audible = ops.cast(hz < 0.45 * rate, "float32") * constant(0.8**places, ops)
    decay, audible, hz = (ops.expand_dims(each, 2) for each in (decay, audible, hz))  # [n, layers, 1, modes]
    struck = ops.expand_dims(gain * ops.minimum(since / 0.002, 1.0), -1)
    loud = audible * struck * ops.exp(-ops.expand_dims(since, -1) / decay)  # [n, layers, frames, modes]
    rising = (loud[:, :, 1:] - loud[:, :, :-1]) / CONTROL
    turns = hz * ops.reshape(t[:-1], (-1, 1))
    sines, cosines = sine(turns, ops), sine(turns + 0.25, ops)
    loud = loud[:, :, :-1]
    begun = ops.concatenate([loud * sines, loud * cosines, rising * sines, rising * cosines], axis=3)
    sample = constant(np.arange(CONTROL), ops)
    turns = ops.expand_dims(hz[:, :, 0], -1) * sample / rate  # [n, layers, modes, CONTROL]
    sines, cosines = sine(turns, ops), sine(turns + 0.25, ops)
    onward = ops.concatenate([cosines, sines, sample * cosines, sample * sines], axis=2)
    return ops.reshape(ops.matmul(begun, onward), (-1, since.shape[1], (since.shape[2] - 1) * CONTROL))


def response(moving: dict, v: dict, does: dict, rate: int, ops: Any) -> Any:
    """Gains [n, layers, frames, bins] of the filter."""
    hz = constant(np.maximum(np.arange(BLOCK + 1) * rate / (2 * BLOCK), 1.0), ops)
    wide = {name: ops.expand_dims(value, -1) for name, value in moving.items()}
    v = {name: ops.expand_dims(value, -1) for name, value in v.items()}
    does = {name: ops.expand_dims(value, -1) for name, value in does.items()}
    swept = ops.exp(OCTAVE * v["sweep"] * wide["within"])
    low, high = hz / (v["low"] * swept), hz / (v["high"] * swept)
    low, high = low * low, high * high
    low, high = low * low, high * high
    gains = 1 - does["band"] + does["band"] * low / ((1 + low) * (1 + high))
    peaks = 0.0
    for number, loud in (1, 1.0), (2, 0.7), (3, 0.4):
        bent = wide[f"formant_{number}"] if number < 3 else 0.5 * wide["formant_2"]
        centre, width = v[f"formant_{number}"] * ops.exp(OCTAVE * bent), number * v["width"]
        away = (hz - centre) / width
        peaks = peaks + loud / (1 + away * away)
    voiced = ops.exp(-DECIBEL * v["depth"]) + peaks
    gains = gains * (1 - does["formants"] + does["formants"] * voiced)
    return gains * ops.exp(DECIBEL / OCTAVE * v["tilt"] * ops.log(hz / 1000))


def moved_through(x: Any, gains: Any, ops: Any) -> Any:
    """x [n, layers, samples] through a filter that moves from block to block, windowed blocks being added."""
    layers, samples = x.shape[1:]
    blocks = ops.reshape(x, (-1, layers, samples // BLOCK, BLOCK))
    silent = ops.zeros_like(blocks[:, :, :1])
    pairs = ops.concatenate(
        [ops.concatenate([silent, blocks], axis=2), ops.concatenate([blocks, silent], axis=2)], axis=3
    )
    window = constant(np.sin(np.pi * (np.arange(2 * BLOCK) + 0.5) / (2 * BLOCK)), ops)
    real, imaginary = ops.rfft(pairs * window, fft_length=2 * BLOCK)
    y = ops.irfft((real * gains, imaginary * gains), fft_length=2 * BLOCK) * window
    return ops.reshape(y[:, :, :-1, BLOCK:] + y[:, :, 1:, :BLOCK], (-1, layers, samples))


def reverberated(x: Any, decay: Any, noise: Any, ops: Any) -> Any:
    """x [n, samples] as it comes back from a room, which takes `decay` samples to be 60 dB quieter."""
    samples = x.shape[1]
    time = constant(np.arange(samples), ops)
    tail = noise * ops.exp(-math.log(1000) / decay * time)
    return convolved(x, tail, ops)


def cycles(frequency: Any, rate: int, ops: Any) -> Any:
    """[..., frames] in Hz -> [..., (frames - 1) * CONTROL] cycles, but for whole ones."""
    begin, end = frequency[..., :-1] / rate, frequency[..., 1:] / rate
    steps = 0.5 * CONTROL * (begin + end)
    done = ops.cumsum(steps - ops.floor(steps), axis=-1) - (steps - ops.floor(steps))
    place = constant(np.arange(CONTROL), ops)
    begin, end, done = (ops.expand_dims(each, -1) for each in (begin, end, done - ops.floor(done)))
    found = done + place * (begin + place * ((0.5 / CONTROL) * (end - begin)))
    return ops.reshape(found, (-1, *frequency.shape[1:-1], steps.shape[-1] * CONTROL))


def stretched(values: Any, ops: Any) -> Any:
    """[..., frames] -> [..., (frames - 1) * CONTROL], in straight lines."""
    share = constant(np.arange(CONTROL) / CONTROL, ops)
    begin, end = ops.expand_dims(values[..., :-1], -1), ops.expand_dims(values[..., 1:], -1)
    return ops.reshape(begin + share * (end - begin), (-1, *values.shape[1:-1], (values.shape[-1] - 1) * CONTROL))


def sine(turns: Any, ops: Any) -> Any:
    """By a polynomial, within 2e-6: XLA's own sine takes several times as long on a CPU."""
    away = ops.abs(turns - 0.25 - ops.floor(turns + 0.25)) - 0.25  # of a whole turn, from where the sine is 0
    square = away * away
    return away * (-6.2831695 + square * (41.337984 + square * (-81.371979 + square * 71.315978)))


def unit(x: Any, ops: Any) -> Any:
    """Of power 1."""
    return x / ops.sqrt(ops.mean(x * x, axis=-1, keepdims=True) + TINY)
