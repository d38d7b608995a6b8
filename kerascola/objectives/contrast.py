"""Normalised temperature-scaled cross entropy over any choice of positives and candidates."""

from keras import ops


def unit(x):
    """Rows of length 1. One of zeros stays as it is: Keras's own `normalize` has no finite slope there."""
    squares = ops.sum(x * x, axis=-1, keepdims=True)
    return x * ops.rsqrt(ops.where(squares > 1e-24, squares, 1.0))


def alike(values):
    """[m] -> [m, m] bool: where two are equal."""
    return ops.equal(ops.expand_dims(values, 1), ops.expand_dims(values, 0))


def pairs(count: int, n, within: bool = True):
    """The positives and the candidates of each row of `count` views of n clips, [count * n, count * n] bool.

    Positives are the other views of the row's clip. Candidates are all other rows, or, unless `within`, those of other
    views.
    """
    row = ops.arange(count * n, dtype="int32")
    itself, clip, view = alike(row), alike(row % n), alike(row // n)
    return ops.logical_and(clip, ops.logical_not(itself)), ops.logical_not(itself if within else view)


def contrast(rows, positive, candidate, temperature: float):
    """rows float32 [m, d] -> the loss, and the share of rows whose most similar candidate is a positive.

    Each row is an anchor. Of its positives, which are candidates too, the mean of -log softmax over all its candidates
    is taken, as in SupCon's L_out (Khosla et al. 2020, equation 2), which for one positive is SimCLR's (Chen et al.
    2020, equation 1). So of several positives each stands in the others' denominators.
    """
    rows = unit(rows)
    similar = ops.matmul(rows, ops.transpose(rows)) / temperature
    similar = ops.where(candidate, similar, -1e9)  # not -inf, whose gradient is none
    log_probability = similar - ops.logsumexp(similar, axis=-1, keepdims=True)
    positive = ops.cast(positive, "float32")
    losses = -ops.sum(positive * log_probability, axis=-1) / ops.sum(positive, axis=-1)
    nearest = ops.expand_dims(ops.argmax(similar, axis=-1), -1)
    return ops.mean(losses), ops.mean(ops.take_along_axis(positive, nearest, axis=-1))


def retrieved(anchors, others):
    """[n, d] both -> the share of anchors whose row of `others` is the most similar of all n."""
    similar = ops.matmul(unit(anchors), ops.transpose(unit(others)))
    own = ops.arange(ops.shape(similar)[0], dtype="int32")
    return ops.mean(ops.cast(ops.equal(ops.cast(ops.argmax(similar, axis=-1), "int32"), own), "float32"))
