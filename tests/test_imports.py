"""Who may import whom: downwards only, and the frameworks in named files only."""

import ast
import functools
import re
import tomllib
from pathlib import Path

import pytest

pytestmark = pytest.mark.once("sources are read, nothing is run")

ROOT = Path(__file__).parents[1]
TREES = {"kerascola": ROOT / "kerascola", "kerascola.export": ROOT / "export", "kerascola.zoo": ROOT / "zoo"}

LAYERS = [  # lowest first; modules of one layer's groups may import their own group and the layers below
    {"kerascola.errors"},
    {"kerascola.audio", "kerascola.dsp"},
    {"kerascola.runtime"},
    {"kerascola.frontends", "kerascola.augment", "kerascola.encoders", "kerascola.objectives"},
    {"kerascola.models"},
    {"kerascola.recipes", "kerascola.data", "kerascola.training", "kerascola.evaluation"},
    {"kerascola.export"},
    {"kerascola.zoo"},
    {"kerascola.cli", "kerascola.export.cli", "kerascola.zoo.shipping"},
]
SIBLINGS = {5}  # of the work layer, groups may use each other
FRAMEWORKS = {"tensorflow", "jax", "torch", "tf2onnx", "jax2onnx", "onnxscript"}
MAY_IMPORT_FRAMEWORKS = {
    "kerascola.evaluation.hear",
    "kerascola.evaluation.xares",
    "kerascola.export.rebuild_tensorflow",
    "kerascola.export.rebuild_torch",
    "kerascola.export.serving",
    "kerascola.training.determinism",
} | {
    f"kerascola.{place}_{backend}"
    for place in ("export.lower", "training.fast", "training.step")
    for backend in ("tensorflow", "jax", "torch")
}
LIGHT = {"numpy", "onnxruntime", "soundfile", "soxr"}


@functools.cache
def modules() -> dict[str, Path]:
    found = {}
    for package, folder in TREES.items():
        for path in folder.rglob("*.py"):
            parts = [package, *path.relative_to(folder).with_suffix("").parts]
            found[".".join(p for p in parts if p != "__init__")] = path
    return found


@functools.cache
def imports(path: Path) -> set[str]:
    """Every module that the file imports anywhere, in functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def layer(module: str) -> tuple[int, str] | None:
    """(number, group) by the longest group that the module is in; None for `kerascola` itself."""
    groups = [(number, group) for number, groups in enumerate(LAYERS) for group in groups]
    inside = [entry for entry in groups if module == entry[1] or module.startswith(entry[1] + ".")]
    return max(inside, key=lambda entry: len(entry[1]), default=None)


def test_every_module_has_a_layer():
    assert [m for m in modules() if layer(m) is None] == ["kerascola"]


def test_imports_go_down():
    wrong = []
    for module, path in modules().items():
        here = layer(module)
        for name in imports(path):
            there = layer(name)
            if here is None or there is None or name not in modules():
                continue
            sideways = here[0] == there[0] and here[1] != there[1] and here[0] not in SIBLINGS
            if there[0] > here[0] or (sideways and here[0] != len(LAYERS) - 1):
                wrong.append(f"{module} imports {name}")
    assert not wrong


def test_frameworks_are_imported_in_named_files_only():
    found = {m for m, path in modules().items() if {n.split(".")[0] for n in imports(path)} & FRAMEWORKS}
    assert found == MAY_IMPORT_FRAMEWORKS


def test_the_light_layers_need_the_runtime_dependencies_only():
    import sys

    for module, path in modules().items():
        here = layer(module)
        if here is not None and here[0] <= 2:
            roots = {name.split(".")[0] for name in imports(path)} - set(sys.stdlib_module_names)
            assert roots <= LIGHT | {"kerascola"}, (module, roots)


def test_the_bare_install_brings_no_more_than_that():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {d.split(">")[0] for d in project["dependencies"]} == LIGHT


def test_every_package_is_installed():
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    packages = {m for m, path in modules().items() if path.name == "__init__.py"}
    assert set(setuptools["packages"]) == packages


def test_what_is_tested_on_one_backend_only_needs_none():
    """No test there imports Keras, or a module of ours that does."""
    (places,) = re.findall(r"^NO_KERAS := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    of_keras = {"keras"} | {m for m, path in modules().items() if "keras" in {n.split(".")[0] for n in imports(path)}}
    files = [path for place in places.split() for path in (ROOT / "tests" / place).rglob("*.py")]
    assert len(files) > 20 and "kerascola.models.embedder" in of_keras
    assert not [f"{path} imports {name}" for path in files for name in sorted(imports(path) & of_keras)]
