"""What a bare install can do: numpy, onnxruntime, soundfile and soxr, and none of the rest."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from onnx_models import write_statistics_model
from zoos_for_tests import NAME, a_zoo

BLOCKER = """
import sys

class Blocker:
    blocked = {"keras", "tensorflow", "jax", "torch", "onnx", "pydantic", "yaml", "rich", "matplotlib", "pyarrow"}

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.blocked:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker())
"""


@pytest.fixture
def bare(tmp_path):
    write_statistics_model(tmp_path / "model.onnx")
    soundfile.write(tmp_path / "a.wav", np.sin(np.arange(20000) * 0.1), 16000)

    def run(program: str) -> subprocess.CompletedProcess[str]:
        root = Path(__file__).parents[2]
        path = f"import sys; sys.path.insert(0, {str(root)!r})\n"
        return subprocess.run(
            [sys.executable, "-c", BLOCKER + path + program],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


def test_an_embedding(bare):
    done = bare("import kerascola; print(kerascola.Embedder('model.onnx').embed('a.wav').shape)")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "(4,)"


def test_an_onnx_file_for_others_benchmarks(bare):
    done = bare(
        "import numpy; from kerascola.evaluation import hear, mteb\n"
        "clip = {'array': numpy.ones(20000), 'sampling_rate': 16000}\n"
        "print(mteb.KerascolaEncoder('model.onnx').encode([{'audio': [clip]}]).shape)"
    )
    assert done.stdout.strip() == "(1, 4)", done.stderr


def test_importing_the_package_imports_nothing_heavy(bare):
    done = bare("import kerascola, kerascola.cli; print({'numpy', 'onnxruntime', 'soundfile'} & set(sys.modules))")
    assert done.stdout.strip() == "set()", done.stderr


def test_the_embed_command(bare, tmp_path):
    done = bare("from kerascola.cli import main; sys.exit(main(['embed', 'model.onnx', 'a.wav', '--out', 'e.npz']))")
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "e.npz") as saved:
        assert saved["embedding"].shape == (1, 4)


def test_the_embed_command_of_a_list(bare, tmp_path):
    (tmp_path / "list.csv").write_text("path,start,end\na.wav,0.5,1\n")
    done = bare("from kerascola.cli import main; sys.exit(main(['embed', 'model.onnx', 'list.csv', '--out', 'e.npz']))")
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "e.npz") as saved:
        assert (saved["start"].tolist(), saved["end"].tolist()) == ([0.5], [1.0])


def test_parquet_needs_an_extra(bare, tmp_path):
    run = "from kerascola.cli import main; sys.exit(main(['embed', 'model.onnx', 'a.wav', '--out', 'e.parquet']))"
    done = bare(run)
    assert done.returncode == 1 and not (tmp_path / "e.parquet").exists()
    assert 'kerascola embed needs pyarrow, which is not installed: pip install "kerascola[train' in done.stderr


def test_a_name_of_the_zoo_and_its_command(bare, tmp_path):
    a_zoo(tmp_path / "zoo")
    run = "import os, sys; os.environ['KERASCOLA_ZOO'] = 'zoo'; import kerascola; from kerascola.cli import main\n"
    done = bare(
        f"{run}print(kerascola.Embedder({NAME!r}).embed('a.wav').shape)\n"
        f"sys.exit(main(['zoo', 'list']) or main(['zoo', 'show', {NAME!r}]) or main(['zoo', 'get', {NAME!r}]))"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("(4,)") and done.stdout.endswith(f"zoo/checkpoints/{NAME}.onnx\n")


def test_the_doctor_command(bare):
    done = bare("from kerascola.cli import main; sys.exit(main(['doctor']))")
    assert done.returncode == 0, done.stderr
    assert "embed " in done.stdout and "ready" in done.stdout


def test_help_needs_no_extra(bare):
    done = bare("from kerascola.cli import main; sys.exit(main([]))")
    assert done.returncode == 0, done.stderr
    for verb in ("embed", "doctor", "pretrain", "recipes", "demo"):
        assert verb in done.stdout


@pytest.mark.parametrize("arguments", [["pretrain", "cola", "--data", "."], ["recipes", "list"]])
def test_a_command_that_needs_more_says_what(bare, arguments):
    done = bare(f"from kerascola.cli import main; sys.exit(main({arguments!r}))")
    assert done.returncode == 1
    assert f"kerascola {arguments[0]} needs " in done.stderr and "pip install" in done.stderr
    assert "Traceback" not in done.stderr
