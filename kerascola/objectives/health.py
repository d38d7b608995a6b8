"""Scalars that tell from embeddings [n, d] whether a run has collapsed; all are of float32."""

from keras import ops

from kerascola.objectives.contrast import alike, unit


def alignment(a, b, alpha: float = 2.0):
    """[n, d] both -> mean ||a_i - b_i||^alpha of their directions (Wang & Isola 2020); 0 where views agree."""
    squares = ops.sum((directions(a) - directions(b)) ** 2, axis=-1)
    return ops.mean(ops.maximum(squares, 1e-12) ** (alpha / 2))  # where rows are equal a root has no finite slope


def uniformity(x, t: float = 2.0):
    """log mean exp(-t ||x_i - x_j||^2) of directions over pairs i < j; 0 when collapsed, near -2 t when spread."""
    x = directions(x)
    n = ops.shape(x)[0]
    lengths = ops.sum(x * x, axis=-1, keepdims=True)  # all 1, but for rows of zeros
    squares = lengths + ops.transpose(lengths) - 2.0 * ops.matmul(x, ops.transpose(x))
    powers = ops.where(alike(ops.arange(n)), -1e9, -t * squares)
    return ops.logsumexp(powers) - ops.log(ops.cast(n * (n - 1), "float32"))


def effective_rank(x):
    """exp of the entropy of the centred embeddings' singular values (Roy & Vetterli 2007): from 1 to min(n - 1, d).

    Of what is below a thousandth of the largest, float32 knows nothing. Rows that are all the same give 1.
    """
    x = ops.cast(x, "float32")
    energy = ops.sum(x * x)
    x = x - ops.mean(x, axis=0, keepdims=True)
    gram = ops.matmul(x, ops.transpose(x)) if wide(x) else ops.matmul(ops.transpose(x), x)
    finite = ops.isfinite(energy)
    squares = ops.linalg.eigh(ops.where(finite, gram, 0.0))[0]  # torch's raises where there is a NaN
    largest = ops.max(squares)
    squares = ops.where(squares > ops.maximum(1e-6 * largest, 1e-11 * energy), squares, 0.0)
    values = ops.sqrt(squares)
    shares = values / ops.maximum(ops.sum(values), 1e-30)
    entropy = -ops.sum(shares * ops.log(ops.where(shares > 0, shares, 1.0)))
    return ops.where(finite, ops.exp(entropy), float("nan"))


def wide(x) -> bool:
    """Whether there are fewer rows than columns, as far as is known before a batch is seen."""
    return x.shape[0] is not None and x.shape[0] < x.shape[1]


def deviation(x):
    """The mean over dimensions of the standard deviation of directions; 0 when collapsed, 1 / sqrt(d) when spread."""
    return ops.mean(ops.std(directions(x), axis=0))


def directions(x):
    return unit(ops.cast(x, "float32"))
