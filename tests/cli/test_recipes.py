import subprocess
import sys

import pytest
import yaml

from kerascola import recipes
from kerascola.cli import main

pytestmark = pytest.mark.once("texts are read, nothing is run")


def test_list_is_a_line_each(capsys):
    assert main(["recipes", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == recipes.names()
    assert all(recipes.load(line.split()[0]).about == line.split(maxsplit=1)[1] for line in lines)


def test_show_is_the_file_and_what_it_comes_to(capsys):
    assert main(["recipes", "show", "demo", "--set", "train.epochs=3"]) == 0
    written, resolved = capsys.readouterr().out.split("# ---- resolved\n")
    assert written.strip() == recipes.text("demo").strip()
    assert yaml.safe_load(resolved) == recipes.load("demo", ["train.epochs=3"]).model_dump(mode="json")


def test_show_a_file(tmp_path, capsys):
    (tmp_path / "mine.yaml").write_text("base: cola\ntrain: {epochs: 7}")
    assert main(["recipes", "show", str(tmp_path / "mine.yaml")]) == 0
    assert "epochs: 7\n" in capsys.readouterr().out.split("resolved")[1]


def test_mistakes(capsys):
    assert main(["recipes", "show", "demos"]) == 1
    assert "error: unknown recipe 'demos'; did you mean 'demo'?" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stopped:
        main(["recipes"])
    assert stopped.value.code == 2


def test_no_framework_is_loaded_for_it():
    program = (
        "import sys; from kerascola.cli import main; main(['recipes', 'list']); "
        "sys.exit(len({'keras', 'tensorflow', 'jax', 'torch'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True).returncode == 0
