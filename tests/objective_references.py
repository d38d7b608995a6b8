"""The objectives as loops over rows in float64, written from the papers. The library imports none of this."""

import numpy as np


def batch_norm(rows: np.ndarray, gamma, beta, mean, variance, training: bool) -> np.ndarray:
    if training:
        mean, variance = rows.mean(axis=0), rows.var(axis=0)
    return np.array([(row - mean) / np.sqrt(variance + 1e-5) * gamma + beta for row in rows])


def head(rows: np.ndarray, weights: list[np.ndarray], hidden: int, normed: bool, training: bool) -> np.ndarray:
    """`hidden` times a product, batch norm or a bias, and ReLU; then a product and a bias. [m, d] -> [m, dimension]."""
    left = [weight.astype(np.float64) for weight in weights]
    rows = rows.astype(np.float64)
    for _ in range(hidden):
        rows = rows @ left.pop(0)
        if normed:
            rows = batch_norm(rows, *(left.pop(0) for _ in range(4)), training)
        else:
            rows = rows + left.pop(0)
        rows = np.maximum(rows, 0)
    kernel, bias = left
    return rows @ kernel + bias


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def contrast(z: np.ndarray, clips, views, labels, temperature: float, within: bool = True) -> tuple[float, float]:
    """Rows [m, d], each of a clip, a view and a label (-1 for none) -> SimCLR's or SupCon's loss, and the accuracy."""
    m = len(z)
    losses, hits = [], []
    for i in range(m):
        others = [j for j in range(m) if j != i and (within or views[j] != views[i])]
        right = [j for j in others if clips[j] == clips[i] or (labels[i] >= 0 and labels[j] == labels[i])]
        total = sum(np.exp(cosine(z[i], z[j]) / temperature) for j in others)
        losses.append(-np.mean([np.log(np.exp(cosine(z[i], z[p]) / temperature) / total) for p in right]))
        hits.append(max(others, key=lambda j: cosine(z[i], z[j])) in right)
    return float(np.mean(losses)), float(np.mean(hits))


def cross_entropy(logits: np.ndarray, labels) -> tuple[float, float]:
    """Means over rows whose label is not -1; 0 without any."""
    losses, hits = [], []
    for row, label in zip(logits, labels, strict=True):
        if label >= 0:
            losses.append(-np.log(np.exp(row[label]) / sum(np.exp(x) for x in row)))
            hits.append(int(np.argmax(row)) == label)
    return (float(np.mean(losses)), float(np.mean(hits))) if losses else (0.0, 0.0)


def binary_cross_entropy(logits: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Means over classes of rows whose labels are not -1; 0 without any."""
    losses, hits = [], []
    for row, truths in zip(logits, labels, strict=True):
        for x, truth in zip(row, truths, strict=True):
            if truth >= 0:
                probability = 1 / (1 + np.exp(-x))
                losses.append(-np.log(probability if truth else 1 - probability))
                hits.append((probability > 0.5) == bool(truth))
    return (float(np.mean(losses)), float(np.mean(hits))) if losses else (0.0, 0.0)


def retrieved(anchors: np.ndarray, others: np.ndarray) -> float:
    n = len(anchors)
    return float(np.mean([max(range(n), key=lambda j: cosine(anchors[i], others[j])) == i for i in range(n)]))


def byol(predictions: np.ndarray, targets: np.ndarray) -> tuple[float, float]:
    """[k, n, d] both: ||normalised prediction - normalised target||^2 of each two different views."""
    losses, hits = [], []
    k, n, _ = predictions.shape
    for i in range(k):
        for j in range(k):
            if i == j:
                continue
            for r in range(n):
                p = predictions[i, r] / np.linalg.norm(predictions[i, r])
                q = targets[j, r] / np.linalg.norm(targets[j, r])
                losses.append(np.sum((p - q) ** 2))
            hits.append(retrieved(predictions[i], targets[j]))
    return float(np.mean(losses)), float(np.mean(hits))


def vicreg(z: np.ndarray) -> tuple[float, float, float]:
    """[k, n, d] -> invariance, variance, covariance: Bardes et al.'s algorithm 1, of means over pairs and views."""
    k, n, d = z.shape
    invariance = [np.sum((z[i] - z[j]) ** 2) / (n * d) for i in range(k) for j in range(i)]
    variances, covariances = [], []
    for view in z:
        mean = sum(view) / n
        c = sum(np.outer(row - mean, row - mean) for row in view) / (n - 1)
        variances.append(sum(max(0.0, 1 - np.sqrt(c[j, j] + 1e-4)) for j in range(d)) / d)
        covariances.append(sum(c[i, j] ** 2 for i in range(d) for j in range(d) if i != j) / d)
    return float(np.mean(invariance)), float(np.mean(variances)), float(np.mean(covariances))


def alignment(a: np.ndarray, b: np.ndarray, alpha: float) -> float:
    units = [(x / np.linalg.norm(x), y / np.linalg.norm(y)) for x, y in zip(a, b, strict=True)]
    return float(np.mean([np.linalg.norm(x - y) ** alpha for x, y in units]))


def uniformity(x: np.ndarray, t: float) -> float:
    u = [row / np.linalg.norm(row) for row in x]
    powers = [np.exp(-t * np.linalg.norm(u[i] - u[j]) ** 2) for i in range(len(u)) for j in range(i)]
    return float(np.log(np.mean(powers)))


def effective_rank(x: np.ndarray) -> float:
    values = np.linalg.svd(x - x.mean(axis=0), compute_uv=False)
    shares = [value / values.sum() for value in values if value > 1e-3 * values.max()]
    shares = [share / sum(shares) for share in shares]
    return float(np.exp(-sum(share * np.log(share) for share in shares)))


def deviation(x: np.ndarray) -> float:
    units = np.array([row / np.linalg.norm(row) for row in x])
    return float(np.mean([np.std(column) for column in units.T]))
