"""A model file that onnxruntime has open."""

import ctypes
import os
import threading
import weakref
from collections.abc import Mapping
from functools import partial
from typing import Any, Self

import onnxruntime

from kerascola.errors import ModelError
from kerascola.runtime.metadata import Metadata
from kerascola.runtime.session import open_session


class Opened:
    """What `Embedder` and `Head` have in common. Threads may use one together.

    It is open until close(), or for a `with`. After a fork the child opens the file again when it first needs it; to a
    process that is spawned it goes by its path.
    """

    path: str
    metadata: Metadata

    def __init__(self, path: str, arguments: Mapping[str, Any], is_head: bool = False) -> None:
        self._begin(path, arguments)
        self._open = partial(
            open_session, providers=arguments.get("providers"), threads=arguments.get("threads"), is_head=is_head
        )
        self._session: onnxruntime.InferenceSession | None
        self._session, self.metadata = self._open(path)
        self._file = _file_of(self._place)
        OPEN.add(self)

    def _begin(self, path: str, arguments: Mapping[str, Any]) -> None:
        """`arguments` are those to make another of the same file."""
        self.path, self.arguments, self.is_closed = path, arguments, False
        self._place = os.path.abspath(path)  # for a process that is elsewhere
        self._lock = threading.Lock()

    @property
    def session(self) -> onnxruntime.InferenceSession:
        session = self._session
        return self._opened_again() if session is None else session

    def close(self) -> None:
        """Gives its memory back, once what other threads have under way is done."""
        with self._lock:
            self.is_closed, self._session = True, None

    def check_open(self) -> None:
        if self.is_closed:
            kind = type(self).__name__
            raise ModelError(f"{self.path}: expected an open {kind}, received one that was closed. Open another")

    def __enter__(self) -> Self:
        self.check_open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        self.check_open()
        return partial(type(self), self._place, **self.arguments), ()

    def _opened_again(self) -> onnxruntime.InferenceSession:
        with self._lock:
            self.check_open()
            if self._session is None:
                if _file_of(self._place) != self._file:
                    raise ModelError(
                        f"{self.path}: expected the file as it was before this process was forked, received another. "
                        "Open the model after the fork"
                    )
                self._session, _ = self._open(self._place)
            return self._session

    def forked(self) -> None:
        """The threads of the session are the parent's. Never freed, as onnxruntime would wait for them."""
        if self._session is not None:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._session))
        self._session, self._lock = None, threading.Lock()


OPEN: weakref.WeakSet[Opened] = weakref.WeakSet()


def _file_of(path: str) -> tuple[int, int] | None:
    if not os.path.isfile(path):
        return None
    found = os.stat(path)
    return found.st_size, found.st_mtime_ns


def in_child() -> None:
    for one in OPEN:
        one.forked()


if hasattr(os, "register_at_fork"):  # Windows has no forks
    os.register_at_fork(after_in_child=in_child)
