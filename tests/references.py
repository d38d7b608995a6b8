"""Loop-level NumPy references, written from the papers in float64. The library imports none of this."""

import functools

import numpy as np


def to_mel(hz: float, scale: str = "htk") -> float:
    """HTK's formula, or Slaney's: linear to 1 kHz, where 15 mels are reached, then 27 mels to a factor of 6.4."""
    if scale == "htk":
        return 2595.0 * np.log10(1.0 + hz / 700.0)
    return 15.0 + 27.0 * np.log(hz / 1000.0) / np.log(6.4) if hz >= 1000.0 else 0.015 * hz


def to_hz(mel: float, scale: str = "htk") -> float:
    if scale == "htk":
        return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
    return 1000.0 * 6.4 ** ((mel - 15.0) / 27.0) if mel >= 15.0 else mel / 0.015


@functools.cache
def mel_triangles(
    bands: int,
    fft: int,
    rate: int,
    low: float,
    high: float,
    scale: str = "htk",
    triangles: str = "mel",
    norm: str = "none",
) -> np.ndarray:
    """[fft // 2 + 1, bands]: of height 1 or of area 1 over Hz; over mels they give DC nothing."""
    first, last = to_mel(low, scale), to_mel(high, scale)
    corners = [first + (last - first) * i / (bands + 1) for i in range(bands + 2)]
    hz = [to_hz(corner, scale) for corner in corners]
    weights = np.zeros((fft // 2 + 1, bands))
    for k in range(fft // 2 + 1):
        if triangles == "mel" and k == 0:
            continue
        here, edges = (to_mel(k * rate / fft, scale), corners) if triangles == "mel" else (k * rate / fft, hz)
        for b in range(bands):
            left, centre, right = edges[b : b + 3]
            if left < here <= centre:
                weights[k, b] = (here - left) / (centre - left)
            elif centre < here < right:
                weights[k, b] = (right - here) / (right - centre)
            if norm == "slaney":
                weights[k, b] /= (hz[b + 2] - hz[b]) / 2
    return weights


def taper(name: str, length: int, periodic: bool = True) -> np.ndarray:
    """[length], by the textbook's formulae over one turn; a symmetric window ends on the turn's end."""
    values = []
    for n in range(length):
        x = 2 * np.pi * n / (length if periodic else length - 1)
        values.append(
            {
                "rectangular": 1.0,
                "hann": np.sin(x / 2) ** 2,
                "hamming": 0.54 - 0.46 * np.cos(x),
                "blackman": 0.42 - 0.5 * np.cos(x) + 0.08 * np.cos(2 * x),
                "nuttall": 0.3635819 - 0.4891775 * np.cos(x) + 0.1365995 * np.cos(2 * x) - 0.0106411 * np.cos(3 * x),
                "blackmanharris": 0.35875 - 0.48829 * np.cos(x) + 0.14128 * np.cos(2 * x) - 0.01168 * np.cos(3 * x),
            }[name]
        )
    return np.array(values)


def frames_of(wave: np.ndarray, window: int, hop: int, fft: int, centre: str) -> np.ndarray:
    """[samples] -> [frames, window]: under `centre` the frame of `fft` samples at t has its middle on t * hop.

    The window lies in the middle of that frame. Beyond the ends the waveform is mirrored, or zero.
    """

    def sample(i: int) -> float:
        if 0 <= i < len(wave):
            return wave[i]
        return 0.0 if centre == "zeros" else wave[-i if i < 0 else 2 * (len(wave) - 1) - i]

    if centre == "none":
        return np.array([wave[start : start + window] for start in range(0, len(wave) - window + 1, hop)])
    first = -(fft // 2) + (fft - window) // 2
    extended = np.array([sample(i) for i in range(first, len(wave) + first + window)])
    return np.array([extended[start : start + window] for start in range(0, len(wave) + 1, hop)])


def log_mel(
    wave: np.ndarray,
    *,
    sample_rate: int = 16000,
    window: int = 400,
    hop: int = 160,
    fft: int = 1024,
    taper: str = "hann",
    periodic: bool = True,
    centre: str = "none",
    power: int = 1,
    mels: int = 64,
    low_hz: float = 60.0,
    high_hz: float = 7800.0,
    scale: str = "htk",
    triangles: str = "mel",
    norm: str = "none",
    log: str = "ln",
    floor: float = 1e-5,
    floor_by: str = "clip",
    ceiling: float = 1e8,
    reference: str = "none",
    range_db: float | None = None,
    mean: float = 0.0,
    deviation: float = 1.0,
) -> np.ndarray:
    """[samples] -> [frames, mels]: window, Fourier transform, triangles, logarithm."""
    taps = TAPER(taper, window, periodic)
    weights = mel_triangles(mels, fft, sample_rate, low_hz, high_hz, scale, triangles, norm)
    rows = []
    for frame in frames_of(wave.astype(np.float64), window, hop, fft, centre):
        energy = np.abs(np.fft.rfft(frame * taps, fft)) ** power @ weights
        floored = energy + floor if floor_by == "add" else np.minimum(np.maximum(energy, floor), ceiling)
        of_log = {"ln": np.log, "log10": np.log10, "db": lambda x: {1: 20, 2: 10}[power] * np.log10(x)}[log]
        rows.append(of_log(floored))
    spectrogram = np.array(rows)
    if reference == "max":
        spectrogram -= spectrogram.max()
    if range_db is not None:
        spectrogram = np.maximum(spectrogram, spectrogram.max() - range_db)
    return (spectrogram - mean) / deviation


TAPER = taper  # `log_mel` has a parameter of that name


def level(wave: np.ndarray, kind: str = "rms", samples: int = 16000) -> np.ndarray:
    """[samples] at RMS 1 / sqrt(`samples`), or without its mean and over its peak + 0.005, or as it is."""
    wave = wave.astype(np.float64)
    if kind == "rms":
        return wave / np.sqrt(max(np.mean(wave**2) * samples, 1e-9))
    if kind == "peak":
        swing = wave - wave.mean()
        return swing / (np.abs(swing).max() + 0.005)
    return wave


def spectra(
    wave: np.ndarray,
    sample_rate: int = 16000,
    window: int = 2048,
    hop: int = 128,
    centre: str = "reflect",
    bands: int = 128,
    low_hz: float = 40.0,
    high_hz: float = 8000.0,
    floor: float = 1e-5,
    phase_floor: float = 1e-3,
) -> tuple[np.ndarray, np.ndarray]:
    """CLAR: [samples] -> [frames, bands, 3] and the magnitudes [frames, bands] over their largest."""
    taps = taper("hann", window)
    weights = mel_triangles(bands, window, sample_rate, low_hz, high_hz, "slaney", "hz", "slaney")
    hz = [low_hz * (high_hz / low_hz) ** (k / bands) for k in range(bands)]
    turning = np.exp([-2j * np.pi * f / sample_rate * np.arange(window) for f in hz])  # time zero: the first sample
    frames = frames_of(wave.astype(np.float64), window, hop, window, centre)
    lines = np.array([turning @ (frame * taps) for frame in frames])
    relative = np.abs(lines) / max(np.abs(lines).max(), floor)
    phases = np.angle(lines)
    phases *= np.minimum((np.pi - np.abs(phases)) / 0.1, 1.0)  # back to zero before it would jump
    phases *= np.clip(relative / phase_floor - 1.0, 0.0, 1.0)
    mels = np.array([np.abs(np.fft.rfft(frame * taps)) ** 2 @ weights for frame in frames])
    decibels = 20 * np.log10(np.maximum(np.abs(lines), floor)) - 20.0
    channels = np.stack([decibels, phases, 10 * np.log10(np.maximum(mels, floor)) - 10.0], axis=-1)
    return channels, relative


def leaf_gabor(filters: int, rate: int, low: float, high: float, bins: int = 1 << 19) -> np.ndarray:
    """[filters, 2]: LEAF's initial centres and deviations, read off mel triangles as its authors do.

    They count the bins of 512 where a triangle's root is at least half its peak, which are few; here they are many.
    """
    edges = [to_hz(to_mel(low) + (to_mel(high) - to_mel(low)) * i / (filters + 1)) for i in range(filters + 2)]
    hz = np.arange(bins // 2 + 1) * rate / bins
    rows = []
    for left, centre, right in zip(edges, edges[1:], edges[2:], strict=False):
        root = np.sqrt(np.interp(hz, [left, centre, right], [0.0, 1.0, 0.0]))
        width = np.sum(root >= 0.5)
        rows.append((2 * np.pi * np.argmax(root) / bins, np.sqrt(2 * np.log(2)) * bins / (np.pi * width)))
    return np.array(rows)


def same(wave: np.ndarray, filter_: np.ndarray) -> np.ndarray:
    """[samples]: the filter's middle on each sample in turn, zeros beyond the ends; not flipped."""
    padded = np.pad(wave, len(filter_) // 2)
    return np.correlate(padded, filter_.conj(), "valid")  # NumPy conjugates its second argument


def leaf(wave: np.ndarray, weights: dict[str, np.ndarray], window: int = 401, hop: int = 160, memory: int = 512):
    """[samples] -> [frames, filters]: LEAF's equations 1 to 6, with every limit that its authors set.

    `weights`: gabor [filters, 2]; pooling, smooth, alpha, delta and root [filters].
    """
    time = np.arange(window) - window // 2
    limit = np.sqrt(2 * np.log(2)) / np.pi
    columns = []
    for f, (centre, deviation) in enumerate(weights["gabor"].astype(np.float64)):
        centre, deviation = np.clip(centre, 0.0, np.pi), np.clip(deviation, 4 * limit, window * limit)
        gaussian = np.exp(-(time**2) / (2 * deviation**2)) / (np.sqrt(2 * np.pi) * deviation)
        energy = np.abs(same(wave.astype(np.float64), gaussian * np.exp(1j * centre * time))) ** 2
        spread = np.clip(float(weights["pooling"][f]), 2 / window, 0.5) * (window - 1) / 2
        pooled = np.maximum(same(energy, np.exp(-0.5 * (time / spread) ** 2))[::hop], 1e-5)
        smooth = np.clip(float(weights["smooth"][f]), 0.0, 1.0)
        alpha, delta = min(float(weights["alpha"][f]), 1.0), max(float(weights["delta"][f]), 1e-6)
        root = max(float(weights["root"][f]), 1.0)
        column = []
        for t in range(len(pooled)):
            first = max(t - memory + 1, 0)  # what is older counts as the oldest that is remembered
            smoothed = pooled[first]
            for x in pooled[first : t + 1]:
                smoothed = (1 - smooth) * smoothed + smooth * x
            column.append((pooled[t] / (smoothed + 1e-12) ** alpha + delta) ** (1 / root) - delta ** (1 / root))
        columns.append(column)
    return np.array(columns).T


def sincnet_bands(filters: int, rate: int, low: float = 50.0, band: float = 50.0) -> np.ndarray:
    """[filters, 2] Hz: low edges and widths, from the least low edge on, evenly over mels."""
    first, last = to_mel(low), to_mel(rate / 2 - (low + band))
    edges = [to_hz(first + (last - first) * i / filters) for i in range(filters + 1)]
    return np.array([(edges[i], edges[i + 1] - edges[i]) for i in range(filters)])


def sincnet(
    wave: np.ndarray,
    bands: np.ndarray,
    gamma: np.ndarray,
    beta: np.ndarray,
    rate: int = 16000,
    window: int = 401,
    hop: int = 160,
    least: tuple[float, float] = (50.0, 50.0),
) -> np.ndarray:
    """[samples] -> [frames, filters]: g[n] = 2 f2 sinc(2 pi f2 n) - 2 f1 sinc(2 pi f1 n), the largest of each hop."""
    time = (np.arange(window) - window // 2) / rate
    columns = []
    for low, width in bands.astype(np.float64):
        low = least[0] + abs(low)
        high = min(low + least[1] + abs(width), rate / 2)
        low = min(low, high - 1.0)
        band_pass = 2 * high * np.sinc(2 * high * time) - 2 * low * np.sinc(2 * low * time)
        filtered = same(wave.astype(np.float64), band_pass / band_pass.max() * taper("hamming", window, periodic=False))
        middles = range(0, len(wave), hop)
        columns.append([max(filtered[max(m - window // 2, 0) : m + window // 2 + 1].max(), 1e-5) for m in middles])
    rows = np.array(columns).T
    return np.array([(row - row.mean()) / np.sqrt(row.var() + 1e-6) * gamma + beta for row in rows])


def cross_entropy_of_the_diagonal(similarity: np.ndarray) -> tuple[float, float]:
    """COLA's equation 1 and the share of rows whose largest entry is on the diagonal."""
    n = len(similarity)
    loss, hits = 0.0, 0
    for i in range(n):
        total = sum(np.exp(similarity[i, j]) for j in range(n))
        loss -= np.log(np.exp(similarity[i, i]) / total)
        hits += all(similarity[i, i] >= similarity[i, j] for j in range(n))
    return loss / n, hits / n


def cola_dot(anchors: np.ndarray, positives: np.ndarray, kernel, bias, temperature: float) -> np.ndarray:
    """[n, n] cosines of the projections over the temperature."""
    n = len(anchors)
    similarity = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            a, p = anchors[i] @ kernel + bias, positives[j] @ kernel + bias
            similarity[i, j] = a @ p / (np.linalg.norm(a) * np.linalg.norm(p)) / temperature
    return similarity


def cola_bilinear(anchors: np.ndarray, positives: np.ndarray, kernel, bias, gamma, beta, weight) -> np.ndarray:
    """[n, n]: g(a)^T W g(p), g = tanh of the layer-normalised projection (epsilon 1e-3, Keras's)."""

    def g(x: np.ndarray) -> np.ndarray:
        y = x @ kernel + bias
        return np.tanh((y - y.mean()) / np.sqrt(y.var() + 1e-3) * gamma + beta)

    n = len(anchors)
    return np.array([[g(anchors[i]) @ weight @ g(positives[j]) for j in range(n)] for i in range(n)])
