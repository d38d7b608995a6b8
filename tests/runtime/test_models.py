"""What may be named as a model: paths, addresses, names of a zoo."""

import hashlib
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from onnx_models import statistics
from zoos_for_tests import NAME, Server, a_record, a_zoo

from kerascola import Embedder
from kerascola.errors import FetchError, ModelError, ZooError
from kerascola.runtime.address import file_name, url_of
from kerascola.runtime.catalogue import open_zoo
from kerascola.runtime.models import is_named, model_file, title
from kerascola.runtime.record import write_index


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERASCOLA_HOME", str(tmp_path / "home"))
    for name in ("KERASCOLA_ZOO", "KERASCOLA_OFFLINE", "HF_HUB_OFFLINE", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("kerascola.runtime.fetch.time.sleep", lambda seconds: None)
    return tmp_path


@pytest.fixture
def zoo(tmp_path) -> Path:
    return a_zoo(tmp_path / "zoo")


@pytest.fixture
def server(zoo):
    made = Server(zoo)
    yield made
    made.close()


ONNX = f"/checkpoints/{NAME}.onnx"


def test_a_name_of_a_folder(zoo, monkeypatch):
    monkeypatch.setenv("KERASCOLA_ZOO", "zoo")
    wave = np.sin(np.arange(8000) / 7).astype(np.float32)
    for name in (NAME, f"zoo:{NAME}"):
        np.testing.assert_allclose(Embedder(name)(wave, 16000), statistics(wave), atol=1e-5)
    assert model_file(NAME, "keras") == Path("zoo/checkpoints") / f"{NAME}.keras"
    assert not Path("home").exists()


def test_a_changed_file_of_a_folder_is_refused_and_kept(zoo, monkeypatch):
    monkeypatch.setenv("KERASCOLA_ZOO", str(zoo))
    file = zoo / "checkpoints" / f"{NAME}.onnx"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ZooError, match="expected a file with the sha256 checksum .*, as its record says"):
        model_file(NAME, "onnx")
    assert file.exists()
    file.unlink()
    with pytest.raises(ZooError, match="expected the file of statistics.plain, received none"):
        model_file(NAME, "onnx")


def test_paths_are_as_they_are(zoo, monkeypatch):
    monkeypatch.setenv("KERASCOLA_ZOO", "zoo")
    for path in ("none.onnx", "a/b.keras", Path(NAME)):
        assert model_file(path, "onnx") == Path(path)
    Path(NAME).write_text("a file goes before a name")
    assert model_file(NAME, "onnx") == Path(NAME) and not is_named(NAME)
    assert is_named(f"zoo:{NAME}") and not is_named("cola") and not is_named("my.yaml")
    with pytest.raises(ModelError, match="received a folder"):
        Embedder("zoo")


def test_what_is_nothing_is_told_with_what_may_be_meant(zoo, monkeypatch):
    said = "expected a file NAME.onnx or NAME.keras, its address .* received 'statistics'. The zoo that comes with"
    with pytest.raises(ModelError, match=said):
        model_file("statistics", "onnx")
    monkeypatch.setenv("KERASCOLA_ZOO", "zoo")
    with pytest.raises(ModelError, match=f"did you mean '{NAME}'. The zoo zoo has {NAME}"):
        model_file("statistic.plain", "onnx")
    with pytest.raises(ZooError, match=f"no 'statistics'; did you mean '{NAME}'"):
        model_file("zoo:statistics", "onnx")
    monkeypatch.setenv("KERASCOLA_ZOO", "home")
    with pytest.raises(ZooError, match="home: expected a zoo, a folder with index.json"):
        model_file(NAME, "onnx")


def test_a_zoo_at_an_address(server, monkeypatch):
    monkeypatch.setenv("KERASCOLA_ZOO", f"{server.url}/")
    path = model_file(NAME, "onnx")
    assert path.name == f"{NAME}.onnx" and path.is_relative_to(Path("home").resolve())
    assert Embedder(NAME).path == str(path) and Embedder(NAME).dimension == 4
    assert server.paths().count(ONNX) == 1 and server.paths().count("/index.json") == 3
    monkeypatch.setenv("KERASCOLA_OFFLINE", "1")
    count = len(server.asked)
    assert model_file(NAME, "onnx") == path
    with pytest.raises(FetchError, match=f"{NAME}.keras: expected it in .* as KERASCOLA_OFFLINE is set"):
        model_file(NAME, "keras")
    monkeypatch.setenv("KERASCOLA_ZOO", f"{server.url}/other")
    with pytest.raises(ZooError, match="this zoo was never looked at"):
        open_zoo()
    assert len(server.asked) == count


def test_the_index_is_looked_at_anew_and_kept(server, zoo, monkeypatch):
    assert list(open_zoo(server.url).records) == [NAME]
    (zoo / "index.json").write_text(write_index([a_record("b.new")]))
    assert list(open_zoo(server.url).records) == ["b.new"]
    server.status = 503
    with pytest.warns(UserWarning, match="cannot be reached .*503.*going by what it was last time"):
        assert list(open_zoo(server.url).records) == ["b.new"]
    server.status = 200
    server.instead["/index.json"] = b"<html>log in to the network</html>"
    with pytest.raises(ZooError, match="which is JSON"):
        open_zoo(server.url)
    server.status = 404
    with pytest.raises(FetchError, match="received 404"):
        open_zoo(server.url)
    server.close()
    with pytest.warns(UserWarning, match="cannot be reached"):
        assert list(open_zoo(server.url).records) == ["b.new"]


def test_an_index_that_does_not_end_is_not_read_on(server, zoo, monkeypatch):
    size = (zoo / "index.json").stat().st_size
    monkeypatch.setattr("kerascola.runtime.catalogue.MOST_BYTES", size - 1)
    with pytest.raises(FetchError, match=f"index.json: expected at most {size - 1} bytes, received more"):
        open_zoo(server.url)
    monkeypatch.setattr("kerascola.runtime.catalogue.MOST_BYTES", size)
    assert list(open_zoo(server.url).records) == [NAME]


def test_a_zoo_that_was_never_reached(monkeypatch):
    with pytest.raises(ZooError, match="9/index.json: expected the index of a zoo, received: .*refused"):
        open_zoo("http://127.0.0.1:9")


def test_an_index_names_where_its_files_are(server, zoo, tmp_path):
    """As that of the package may, for files that are too large for it."""
    small = tmp_path / "small"
    small.mkdir()
    (small / "index.json").write_text(write_index(open_zoo(str(zoo)).records.values(), f"{server.url}/"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERASCOLA_ZOO", str(small))
        assert model_file(NAME, "keras").read_bytes() == b"a Keras file"
    assert server.paths() == [f"/checkpoints/{NAME}.keras"]


def test_broken_off_and_gone_on(server, zoo, monkeypatch):
    size = (zoo / ONNX[1:]).stat().st_size
    monkeypatch.setenv("KERASCOLA_ZOO", str(shutil.copytree(zoo, "far", ignore=shutil.ignore_patterns("*.onnx"))))
    Path("far/index.json").write_text(write_index(open_zoo(str(zoo)).records.values(), server.url))
    server.drops = [100, 50]
    seen = []
    path = model_file(NAME, "onnx", lambda name: lambda done, total: seen.append((name, done, total)))
    assert [begin for _, begin in server.asked] == [0, 100, 150]
    assert path.read_bytes() == (zoo / ONNX[1:]).read_bytes() and seen[-1] == (f"{NAME}.onnx", size, size)


def test_a_server_without_ranges_and_one_with_another_file(server, zoo):
    digest = hashlib.sha256((zoo / ONNX[1:]).read_bytes()).hexdigest()
    server.ranges, server.drops = False, [100]
    path = model_file(f"{server.url}{ONNX}#sha256={digest.upper()}", "onnx")
    assert path.read_bytes() == (zoo / ONNX[1:]).read_bytes()
    path.write_bytes(b"spoilt")
    with pytest.raises(FetchError, match="received .* It was removed: try again"):
        model_file(f"{server.url}{ONNX}#sha256={digest}", "onnx")
    server.instead[ONNX] = b"another"
    with pytest.raises(FetchError, match=f"expected a file with the sha256 checksum {digest}, received"):
        model_file(f"{server.url}{ONNX}#sha256={digest}", "onnx")
    assert not list(Path("home").rglob(f"{NAME}.onnx*[xt]"))  # nor what was there of it


def test_an_address_without_a_checksum_is_kept(server):
    path = model_file(f"{server.url}{ONNX}?download=1", "onnx")
    assert path.name == f"{NAME}.onnx"
    server.close()
    assert model_file(f"{server.url}{ONNX}?download=1", "onnx") == path


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("https://there/model.zip", "expected the address of a file NAME.onnx or NAME.keras"),
        ("https://there/model.onnx#md5=1", "expected #sha256= and 64 hexadecimal digits, received #md5=1"),
        ("hf://owner/model.onnx", "expected hf://OWNER/REPO/PATH"),
        ("hf://owner/repo@v1/model.onnx@v2", "expected hf://OWNER/REPO/PATH"),
    ],
)
def test_addresses_that_are_none(address, said):
    with pytest.raises(FetchError, match=said):
        model_file(address, "onnx")


def test_hugging_face(server, zoo, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", f"{server.url}/hub/")
    at = f"/hub/me/birds/resolve/main/models/{NAME}.onnx"
    server.moved[at] = f"{server.url}{ONNX}"
    server.drops = [100]
    path = model_file(f"hf://me/birds/models/{NAME}.onnx", "onnx")
    assert path.read_bytes() == (zoo / ONNX[1:]).read_bytes()
    assert server.asked == [(at, 0), (ONNX, 0), (at, 100), (ONNX, 100)]  # gone on with where it was moved to, too
    monkeypatch.setenv("HF_HUB_OFFLINE", "true")
    assert model_file(f"hf://me/birds/models/{NAME}.onnx", "onnx") == path
    with pytest.raises(FetchError, match="HF_HUB_OFFLINE is set"):
        model_file("hf://me/birds/other.onnx", "onnx")
    assert model_file(f"{server.url}{ONNX}", "onnx").exists()  # the hub's variable is for the hub


def test_addresses_of_the_hub():
    start = "https://huggingface.co/me/birds/resolve"
    for address in ("hf://me/birds/a/b.onnx@v1.0", "hf://me/birds@v1.0/a/b.onnx"):
        assert url_of(address) == f"{start}/v1.0/a/b.onnx" and file_name(address) == "b.onnx"
    assert url_of("hf://me/birds/b.onnx@refs/pr/3") == f"{start}/refs%2Fpr%2F3/b.onnx"
    assert url_of("hf://me/birds@refs%2Fpr%2F3/b.onnx#sha256=0") == f"{start}/refs%2Fpr%2F3/b.onnx"
    for folder in ("hf://me/birds", "hf://me/birds/"):
        assert url_of(folder, "index.json") == f"{start}/main/index.json"
    for folder in ("hf://me/birds@v1/zoo", "hf://me/birds/zoo@v1"):
        assert url_of(folder, "index.json") == f"{start}/v1/zoo/index.json"
    assert url_of("https://there/zoo/?key=1", "checkpoints/a b") == "https://there/zoo/checkpoints/a%20b?key=1"


def test_two_that_fetch_the_same_at_once(server, monkeypatch):
    """The second waits, and takes what the first has fetched."""
    held, begun = threading.Event(), threading.Event()
    monkeypatch.setenv("KERASCOLA_ZOO", server.url)

    def watch(name: str):
        def progress(done: int, total: int | None) -> None:
            begun.set()
            assert held.wait(20)

        return progress

    found: list[Path] = []
    first = threading.Thread(target=lambda: found.append(model_file(NAME, "onnx", watch)))
    first.start()
    assert begun.wait(20)
    second = threading.Thread(target=lambda: found.append(model_file(NAME, "onnx")))
    second.start()
    second.join(0.3)
    assert second.is_alive()
    held.set()
    first.join(20), second.join(20)
    assert len(found) == 2 and found[0] == found[1] and server.paths().count(ONNX) == 1


def test_titles():
    for name, expected in [
        ("runs/a/model.onnx", "model"),
        ("model.v2.keras", "model.v2"),
        (f"zoo:{NAME}", NAME),
        (NAME, NAME),
        (f"https://there/{NAME}.onnx?a=b#sha256=0", NAME),
        ("log-mel", "log-mel"),
    ]:
        assert title(name) == expected
