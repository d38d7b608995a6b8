"""Heads: what is told from an embedding. Each is a plain Keras model, [batch, dimension] -> logits [batch, classes]."""

import dataclasses
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from kerascola.errors import ModelError
from kerascola.models.embedder import load_embedder, save_embedder
from kerascola.runtime.metadata import Classes, Metadata

LEAST = 1e-12  # probability, as a logarithm of 0 has no place in float32


def dense(weights: np.ndarray, bias: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> keras.Model:
    """Of standardised embeddings by weights [d, classes]."""
    embedding = keras.Input((len(weights),), name="embedding")
    layer = layers.Dense(len(bias), name="logits")
    head = keras.Model(embedding, layer(embedding), name="head")
    layer.set_weights(standardising(weights, bias, mean, scale))
    return head


def hidden(coefs: list[np.ndarray], biases: list[np.ndarray], mean: np.ndarray, scale: np.ndarray) -> keras.Model:
    """Of standardised embeddings by one hidden layer of ReLUs."""
    embedding = keras.Input((len(mean),), name="embedding")
    first = layers.Dense(len(biases[0]), activation="relu", name="hidden")
    second = layers.Dense(len(biases[1]), name="logits")
    head = keras.Model(embedding, second(first(embedding)), name="head")
    first.set_weights(standardising(coefs[0], biases[0], mean, scale))
    second.set_weights([coefs[1], biases[1]])
    return head


def standardising(
    weights: np.ndarray, bias: np.ndarray, mean: np.ndarray, scale: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Weights and biases for embeddings as they are, of those for (embedding - mean) / scale."""
    weights = np.asarray(weights) / np.asarray(scale)[:, None]
    return weights, np.asarray(bias) - np.asarray(mean) @ weights


def nearest(vectors: np.ndarray, votes: np.ndarray, k: int, temperature: float, multi_label: bool) -> keras.Model:
    """Of the k nearest of `vectors` [n, d] by cosine, who vote with exp(cosine / temperature) for `votes` [n, classes].

    Its logits are those of the shares that the classes get.
    """
    count, dimension = vectors.shape
    embedding = keras.Input((dimension,), name="embedding")
    known = layers.Dense(count, use_bias=False, name="known")
    casting = layers.Embedding(count, votes.shape[1], name="votes")
    close, which = ops.top_k(known(layers.UnitNormalization(name="unit")(embedding)), min(k, count))
    weights = ops.expand_dims(ops.softmax(close / temperature, axis=-1), -1)
    share = ops.sum(weights * casting(which), axis=1)
    logits = ops.log(ops.maximum(share, LEAST))
    if multi_label:
        logits = logits - ops.log(ops.maximum(1.0 - share, LEAST))
    head = keras.Model(embedding, layers.Identity(name="logits")(logits), name="head")
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    known.set_weights([(vectors / np.where(lengths > 0, lengths, 1)).T])
    casting.set_weights([votes])
    return head


def save_head(head: keras.Model, classes: Classes, embedder: Metadata, path: str | Path) -> Path:
    """`embedder` is what the file says of itself whose embeddings the head is of."""
    check_head(head, classes, str(path))
    if int(head.inputs[0].shape[1]) != embedder.dimension:
        raise ModelError(
            f"{path}: expected a head of embeddings of {embedder.dimension} numbers, "
            f"received one of {head.inputs[0].shape[1]}"
        )
    known = dataclasses.replace(embedder, heads={"": classes}, verified={})
    return save_embedder(head, known, path)


def load_head(path: str | Path) -> tuple[keras.Model, Classes, Metadata]:
    """The head, what it tells apart, and what it knows of the embedder that it is for."""
    head, metadata = load_embedder(path)
    return head, *classes_of(head, metadata, path)


def classes_of(head: keras.Model, metadata: Metadata | None, path: str | Path) -> tuple[Classes, Metadata]:
    """Of a head's file, which is refused where it is none."""
    if metadata is None or list(metadata.heads) != [""]:
        what = "an embedder" if metadata else "one that does not say what it tells apart"
        raise ModelError(
            f"{path}: expected a head, received {what}. `kerascola finetune` and `kerascola probe --head` write one, "
            "and kerascola.models.heads.save_head does of a Keras model of yours"
        )
    classes = metadata.heads[""]
    check_head(head, classes, str(path))
    return classes, metadata


def check_head(head: keras.Model, classes: Classes, path: str) -> None:
    ends = [tuple(each.shape) for each in (*head.inputs, *head.outputs)]
    if len(ends) != 2 or len(ends[0]) != 2 or ends[0][1] is None or ends[1] != (None, len(classes.labels)):
        raise ModelError(
            f"{path}: expected one input [batch, dimension] and one output [batch, {len(classes.labels)}], a number "
            f"for each label, received the shapes {ends}"
        )
