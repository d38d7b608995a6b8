"""Nothing that is read can run: no pickle, no code from strings, and Keras files in safe mode only."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.once("sources are read, nothing is run")

ROOT = Path(__file__).parents[1]
FILES = [path for place in ("kerascola", "export", "zoo", "benchmarks") for path in (ROOT / place).rglob("*.py")]
MODULES = {"pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
CALLS = {"eval", "exec", "compile", "__import__", "torch.load", "torch.jit.load", "yaml.load", "yaml.unsafe_load"}
CALLS |= {"yaml.full_load", "yaml.load_all", "pandas.read_pickle", "pd.read_pickle"}
CALLS |= {"keras.config.enable_unsafe_deserialization"}
SWITCHES = {"allow_pickle", "trust_remote_code"}  # given at all


def wrong(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [getattr(node, "module", None) or "", *(alias.name for alias in node.names)]
            yield from (name for name in names if name.split(".")[0] in MODULES)
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            options = {option.arg: ast.unparse(option.value) for option in node.keywords}
            if name in CALLS or any(options.get(switch, "False") != "False" for switch in SWITCHES):
                yield name
            if name.endswith("saving.load_model") and options.get("safe_mode") != "True":
                yield name


def test_no_file_of_the_library_reads_what_can_run():
    assert len(FILES) > 150
    found = {path: list(wrong(path.read_text())) for path in FILES}
    assert not {path: names for path, names in found.items() if names}


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from joblib import load",
        "def f():\n    import dill as d",
        "torch.load(path)",
        "yaml.load(text)",
        "np.load(path, allow_pickle=True)",
        "keras.saving.load_model(path)",
        "keras.saving.load_model(path, safe_mode=False)",
        "eval(text)",
        "load_dataset(name, trust_remote_code=True)",
    ],
)
def test_that_it_would_be_seen(source):
    assert list(wrong(source))


def test_that_what_is_safe_is_not():
    assert not list(
        wrong("keras.saving.load_model(path, safe_mode=True)\nnp.load(path)\nyaml.safe_load(text)\nm.eval()")
    )
