import json

import pytest

from kerascola.cli import VERBS, doctor, install_command, main


@pytest.fixture
def keras_home(tmp_path, monkeypatch):
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    return tmp_path


def test_the_backend_is_found_as_keras_finds_it(keras_home, monkeypatch):
    assert doctor.keras_backend() == ("tensorflow", "Keras's default")
    file = keras_home / "keras.json"
    file.write_text('{"backend": "jax"}')
    assert doctor.keras_backend() == ("jax", str(file))
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    assert doctor.keras_backend() == ("torch", "KERAS_BACKEND")
    monkeypatch.setenv("KERAS_BACKEND", "")
    assert doctor.keras_backend() == ("jax", str(file))


def test_a_backend_that_is_there_stands_in_for_the_default_but_not_for_what_was_asked(keras_home, monkeypatch):
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setattr(doctor, "package", lambda name: {"version": "2.13.0" if name == "torch" else ""})
    assert doctor.chosen_backend() == ("torch", "what is installed; Keras's default says tensorflow")
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert doctor.chosen_backend() == ("jax", "KERAS_BACKEND")
    monkeypatch.delenv("KERAS_BACKEND")
    monkeypatch.setattr(doctor, "package", lambda name: {"version": ""})
    assert doctor.chosen_backend() == ("tensorflow", "Keras's default")


@pytest.mark.parametrize("text", ["", "not json", "[]", "{}", "null"])
def test_a_damaged_keras_json_is_the_default(keras_home, text):
    (keras_home / "keras.json").write_text(text)
    assert doctor.keras_backend()[0] == "tensorflow"


def installed(monkeypatch, *modules):
    found = {"detail": "", "problem": ""}
    monkeypatch.setattr(doctor, "package", lambda m: found | {"version": "1.0" if m in modules else ""})


def test_what_is_missing_comes_with_the_command_that_brings_it(monkeypatch, capsys):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    installed(monkeypatch, *doctor.RUNTIME, "keras", "tensorflow", "pydantic", "yaml")
    assert main(["doctor", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    commands = report["commands"]
    assert commands["embed"] == {"ready": True, "missing": [], "install": ""}
    assert commands["pretrain"]["missing"] == ["jax", "rich", "matplotlib", "grain", "tensorboard"]
    assert commands["pretrain"]["install"] == 'pip install "kerascola[train,jax]"'
    assert commands["kerascola-export"]["missing"] == ["jax", "onnx", "jax2onnx"]
    assert commands["kerascola-export"]["install"] == 'pip install "kerascola[export,jax]"'
    assert report["backend"] == {"name": "jax", "from": "KERAS_BACKEND", "installed": False}

    assert main(["doctor"]) == 0
    text = capsys.readouterr().out
    assert "missing jax, rich, matplotlib" in text and 'pip install "kerascola[train,jax]"' in text


def test_all_is_ready_when_all_is_there(monkeypatch, capsys):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    installed(monkeypatch, *doctor.MODULES)
    assert main(["doctor", "--json"]) == 0
    commands = json.loads(capsys.readouterr().out)["commands"]
    assert all(command["ready"] for command in commands.values())
    assert set(commands) == {*VERBS, "kerascola-export"} - {"doctor"}


def test_a_backend_that_kerascola_does_not_know(monkeypatch, capsys):
    monkeypatch.setenv("KERAS_BACKEND", "numpy")
    installed(monkeypatch, *doctor.MODULES)
    assert main(["doctor", "--json"]) == 0
    commands = json.loads(capsys.readouterr().out)["commands"]
    assert commands["embed"]["ready"] and not commands["pretrain"]["ready"]
    assert "KERAS_BACKEND=tensorflow|jax|torch" in commands["pretrain"]["missing"][-1]


def test_a_runtime_that_does_not_import_is_not_ready(monkeypatch, capsys):
    original = doctor.import_module

    def broken(name):
        if name == "soundfile":
            raise OSError("sndfile library not found")
        return original(name)

    monkeypatch.setattr(doctor, "import_module", broken)
    assert main(["doctor"]) == 1
    text = capsys.readouterr().out
    assert "does not import: sndfile library not found" in text
    assert "missing soundfile" in text and "pip install kerascola" in text


def test_the_real_installation(capsys):
    assert main(["doctor"]) == 0
    text = capsys.readouterr().out
    assert "CPUExecutionProvider" in text and "libsndfile" in text


def test_devices_are_asked_in_a_process_of_their_own(monkeypatch):
    monkeypatch.setitem(doctor.DEVICES, "torch", "d = ['cpu']; print('chatter')")
    assert doctor.devices_of("torch") == ["cpu"]
    monkeypatch.setitem(doctor.DEVICES, "torch", "raise ImportError('libcudart.so')")
    assert doctor.devices_of("torch") == "does not import: ImportError: libcudart.so"
    monkeypatch.setitem(doctor.DEVICES, "torch", "import time; time.sleep(60); d = []")
    monkeypatch.setattr(doctor, "DEVICES_SECONDS", 0.5)
    assert doctor.devices_of("torch") == "no answer within 0.5 s"


def test_a_missing_package_is_named_with_its_extra(monkeypatch, capsys):
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    assert install_command("pretrain", "keras.src") == 'pip install "kerascola[train,tensorflow]"'
    assert install_command("embed", "soxr") == "pip install kerascola"
    assert install_command("pretrain", "kerascola.typo") is None
    monkeypatch.setattr(doctor, "examine", lambda _: __import__("no_such_module"))
    with pytest.raises(ModuleNotFoundError):  # not one of ours: a mistake in the code, which keeps its traceback
        main(["doctor"])

    def needs_keras(_):
        raise ModuleNotFoundError("No module named 'keras'", name="keras")

    monkeypatch.setattr(doctor, "examine", needs_keras)
    assert main(["doctor"]) == 1
    assert "kerascola doctor needs keras, which is not installed: pip install" in capsys.readouterr().err
