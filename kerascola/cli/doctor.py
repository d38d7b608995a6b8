"""Show what is installed, which backend Keras takes, and which commands can run."""

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import kerascola

MODULES: dict[str, tuple[str, ...]] = {  # name to import: the distributions that may bring it
    "numpy": ("numpy",),
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml", "onnxruntime-openvino"),
    "soundfile": ("soundfile",),
    "soxr": ("soxr",),
    "keras": ("keras", "keras-nightly"),
    "tensorflow": ("tensorflow", "tensorflow-cpu", "tf-nightly"),
    "jax": ("jax",),
    "torch": ("torch",),
    "onnx": ("onnx",),
    "tf2onnx": ("tf2onnx",),
    "jax2onnx": ("jax2onnx",),
    "onnxscript": ("onnxscript",),
    "pydantic": ("pydantic",),
    "yaml": ("PyYAML",),
    "rich": ("rich",),
    "matplotlib": ("matplotlib",),
    "sklearn": ("scikit-learn",),
    "pyarrow": ("pyarrow",),
    "grain": ("grain",),
    "array_record": ("array_record",),
    "tensorboard": ("tensorboard", "tb-nightly"),
}
RUNTIME = ("numpy", "onnxruntime", "soundfile", "soxr")
CONVERTERS = {"tensorflow": "tf2onnx", "jax": "jax2onnx", "torch": "onnxscript"}  # of each backend, to ONNX
BACKEND, CONVERTER = "BACKEND", "CONVERTER"  # stand for those of the backend that Keras takes
TRAINING = (*RUNTIME, "keras", BACKEND, "pydantic", "yaml", "rich", "matplotlib", "grain", "tensorboard")


@dataclass(frozen=True)
class Needs:
    modules: tuple[str, ...]
    extras: tuple[str, ...]  # of kerascola, that bring them


NEEDS = {
    "embed": Needs(RUNTIME, ()),
    "pretrain": Needs(TRAINING, ("train", BACKEND)),
    "finetune": Needs(TRAINING, ("train", BACKEND)),
    "probe": Needs((*RUNTIME, "matplotlib", "sklearn", "pydantic"), ("eval", "train")),
    "compare": Needs((*RUNTIME, "matplotlib", "sklearn", "pydantic"), ("eval", "train")),
    "zoo": Needs(RUNTIME, ()),
    "data": Needs((*RUNTIME, "matplotlib", "array_record"), ("train",)),
    "recipes": Needs(("numpy", "pydantic", "yaml"), ("train",)),
    "augment": Needs(TRAINING, ("train", BACKEND)),
    "synth": Needs(RUNTIME, ()),
    "demo": Needs((*TRAINING, "onnx", CONVERTER), ("train", "export", BACKEND)),
    "kerascola-export": Needs((*RUNTIME, "keras", BACKEND, "onnx", CONVERTER), ("export", BACKEND)),
}

DEVICES = {  # a program that prints the devices as JSON
    "tensorflow": "import tensorflow as m; d = [x.name for x in m.config.list_physical_devices()]",
    "jax": "import jax as m; d = [f'{x.platform} {x.device_kind}' for x in m.devices()]",
    "torch": "import torch as m; n = m.cuda.device_count();"
    "d = ['cpu'] + [f'cuda {m.cuda.get_device_name(i)}' for i in range(n)]"
    " + ['mps'] * m.backends.mps.is_available()",
}
DEVICES_SECONDS = 120


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--devices", action="store_true", help="list each framework's devices (slow)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    report = examine(args.devices)
    print(json.dumps(report, indent=2) if args.json else as_text(report))
    return 0 if report["commands"]["embed"]["ready"] else 1


def examine(devices: bool) -> dict[str, Any]:
    packages = {module: package(module) for module in MODULES}
    backend, origin = chosen_backend()
    usable = [module for module, found in packages.items() if found["version"] and not found["problem"]]
    report: dict[str, Any] = {
        "kerascola": kerascola.__version__,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cpus": usable_cpus(),
        "packages": packages,
        "backend": {"name": backend, "from": origin, "installed": backend in usable},
        "commands": {name: readiness(needs, usable, backend) for name, needs in NEEDS.items()},
    }
    if devices:
        report["devices"] = {m: devices_of(m) for m in DEVICES if packages[m]["version"]}
    return report


def package(module: str) -> dict[str, str]:
    """Its version, by the installer's records; only what the runtime needs is imported, for it is quick."""
    found = {"version": "", "detail": "", "problem": ""}
    for distribution in MODULES[module]:
        try:
            found["version"] = metadata.version(distribution)
            break
        except metadata.PackageNotFoundError:
            continue
    if module in RUNTIME and found["version"]:
        try:
            imported = import_module(module)
        except Exception as error:  # whatever a broken installation raises is what the user has to see
            found["problem"] = f"does not import: {error}"
        else:
            if module == "onnxruntime":
                found["detail"] = ", ".join(imported.get_available_providers())
            if module == "soundfile":
                found["detail"] = f"libsndfile {imported.__libsndfile_version__}"
    return found


def keras_backend() -> tuple[str, str]:
    """(backend, where that is said), found as Keras finds it but without Keras."""
    if os.environ.get("KERAS_BACKEND"):
        return os.environ["KERAS_BACKEND"], "KERAS_BACKEND"
    path = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "keras.json"
    try:
        backend = json.loads(path.read_text())["backend"]
    except (OSError, ValueError, KeyError, TypeError):
        return "tensorflow", "Keras's default"
    return str(backend), str(path)


def chosen_backend() -> tuple[str, str]:
    """What the commands take: Keras's backend, unless that is not installed, not asked for, and another one is."""
    backend, origin = keras_backend()
    installed = [name for name in CONVERTERS if package(name)["version"]]
    if origin == "KERAS_BACKEND" or backend not in CONVERTERS or backend in installed or not installed:
        return backend, origin
    return installed[0], f"what is installed; {origin} says {backend}"


def readiness(needs: Needs, usable: Sequence[str], backend: str) -> dict[str, Any]:
    stand_ins = {BACKEND: backend, CONVERTER: CONVERTERS.get(backend, "tf2onnx")}
    missing = [m for m in (stand_ins.get(m, m) for m in needs.modules) if m not in usable]
    if BACKEND in needs.modules and backend not in CONVERTERS:
        missing.append(f"a backend that kerascola knows: KERAS_BACKEND={'|'.join(CONVERTERS)}")
    install = pip_command(needs.extras, backend) if missing else ""
    return {"ready": not missing, "missing": missing, "install": install}


def pip_command(extras: Sequence[str], backend: str) -> str:
    known = backend if backend in CONVERTERS else "tensorflow"
    names = ",".join(known if extra == BACKEND else extra for extra in extras)
    return f'pip install "kerascola[{names}]"' if names else "pip install kerascola"


def devices_of(module: str) -> list[str] | str:
    """Asked in a process of its own: importing a framework takes seconds and may take the GPU's memory."""
    program = f"import json; {DEVICES[module]}; print(json.dumps(d))"
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    try:
        answer = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            timeout=DEVICES_SECONDS,
            env=os.environ | quiet,
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {DEVICES_SECONDS} s"
    if answer.returncode:
        return f"does not import: {(answer.stderr.strip().splitlines() or ['no message'])[-1]}"
    return json.loads(answer.stdout.strip().splitlines()[-1])


def usable_cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def as_text(report: dict[str, Any]) -> str:
    packages = [
        (module, found["version"] or "-", found["problem"] or found["detail"])
        for module, found in report["packages"].items()
    ]
    commands = [
        (name, "ready" if found["ready"] else f"missing {', '.join(found['missing'])}", found["install"])
        for name, found in report["commands"].items()
    ]
    backend = report["backend"]
    installed = "installed" if backend["installed"] else "not installed"
    head = f"kerascola {report['kerascola']}, Python {report['python']}, {report['platform']}"
    lines = [f"{head}, {report['cpus']} CPUs", "", *aligned(packages), ""]
    lines += [
        f"Keras backend: {backend['name']} (from {backend['from']}), {installed}",
        "",
        *aligned(commands),
    ]
    if "devices" in report:
        rows = [(m, d if isinstance(d, str) else ", ".join(d)) for m, d in report["devices"].items()]
        lines += ["", *(aligned(rows) if rows else ["no framework installed, so no devices of theirs"])]
    return "\n".join(lines)


def aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    cells = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows]
    return ["  ".join(row).rstrip() for row in cells]
