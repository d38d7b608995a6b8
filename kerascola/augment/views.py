"""Views of a clip: pure functions of the sound and of parameters that were drawn outside the graph."""

from keras import ops


def crop(clips, starts, length: int):
    """clips [batch, samples], starts [batch] int -> [batch, length]; starts + length must not pass the end."""
    positions = ops.expand_dims(starts, -1) + ops.expand_dims(ops.arange(length, dtype="int32"), 0)
    return ops.take_along_axis(clips, positions, axis=1)
