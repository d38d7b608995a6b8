"""Keras is bound to one backend when it is imported, so the suite runs once per backend, in a process each."""

import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def pytest_report_header() -> str:
    return f"Keras backend: {os.environ['KERAS_BACKEND']}"
