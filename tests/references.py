"""Loop-level NumPy references, written from the papers in float64. The library imports none of this."""

import numpy as np


def htk_mel(hz: float) -> float:
    return 2595.0 * np.log10(1.0 + hz / 700.0)


def mel_triangles(bands: int, fft: int, rate: int, low: float, high: float) -> np.ndarray:
    """[fft // 2 + 1, bands]: triangles in mels, of height 1, nothing for DC."""
    edges = [htk_mel(low) + (htk_mel(high) - htk_mel(low)) * i / (bands + 1) for i in range(bands + 2)]
    weights = np.zeros((fft // 2 + 1, bands))
    for k in range(1, fft // 2 + 1):
        mel = htk_mel(k * rate / fft)
        for b in range(bands):
            left, centre, right = edges[b : b + 3]
            if left < mel <= centre:
                weights[k, b] = (mel - left) / (centre - left)
            elif centre < mel < right:
                weights[k, b] = (right - mel) / (right - centre)
    return weights


def log_mel(
    wave: np.ndarray,
    rate: int = 16000,
    window: int = 400,
    hop: int = 160,
    fft: int = 1024,
    bands: int = 64,
    low: float = 60.0,
    high: float = 7800.0,
    floor: float = 1e-5,
) -> np.ndarray:
    """[samples] -> [frames, bands]: magnitudes of a periodic Hann window, mel bands, natural log."""
    wave = wave.astype(np.float64)
    taps = [0.5 - 0.5 * np.cos(2 * np.pi * n / window) for n in range(window)]
    triangles = mel_triangles(bands, fft, rate, low, high)
    rows = []
    for start in range(0, len(wave) - window + 1, hop):
        magnitude = np.abs(np.fft.rfft(wave[start : start + window] * taps, fft))
        rows.append(np.log(np.clip(magnitude @ triangles, floor, 1e8)))
    return np.array(rows)


def level(wave: np.ndarray, samples: int = 16000) -> np.ndarray:
    """[samples] scaled to RMS 1 / sqrt(16000)."""
    rms = np.sqrt(np.mean(wave.astype(np.float64) ** 2))
    return wave / (rms * np.sqrt(samples)) if rms > 0 else wave.astype(np.float64)


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
