"""Whatever a model's file holds, it gives embeddings or one of our errors: no crash, no hang, bounded memory."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "fuzzed_models.py"
CASES = 250  # of each kind
HANGS = 120  # seconds, of a process that takes about three


def test_no_file_takes_the_runtime_down(tmp_path):
    pytest.importorskip("resource", reason="memory cannot be capped here")
    command = [sys.executable, "-X", "faulthandler", SCRIPT, tmp_path, str(CASES)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=HANGS, errors="replace")
        said = "" if done.returncode == 0 else f"exit code {done.returncode}: {done.stderr[-3000:]}"
    except subprocess.TimeoutExpired:
        said = f"it took more than {HANGS} s"
    if said:
        last = max(tmp_path.glob("input.*"), key=lambda path: path.stat().st_mtime)
        pytest.fail(f"{said}\nwith {shutil.copy(last, tmp_path / f'culprit{last.suffix}')}")
    lines = (line.partition(" ") for line in done.stdout.splitlines() if line.endswith("}"))
    counts = {kind: json.loads(found) for kind, _, found in lines}
    assert [sum(found.values()) for found in counts.values()] == [CASES] * 3
    altered = counts["altered"]  # it is not all turned away at the door
    assert min(altered[who] for who in ("fine", "walker", "metadata", "onnxruntime")) > 20
    assert min(counts["archives"][what] for what in ("fine", "refused")) > 10
