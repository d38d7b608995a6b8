"""Each corpus in miniature, with the names that it is published under."""

import csv
import json
import tarfile
import zipfile
from types import ModuleType

import pytest
import soundfile

from kerascola.cli import main
from kerascola.data import corpora
from kerascola.data.corpora import NAMES, corpus, fetching, records, write_list
from kerascola.data.corpora.layout import Archive
from kerascola.data.manifest import Row, rows
from kerascola.errors import DataError, FetchError

SOUND = None  # a file of which nothing but the name is read

FMA_HEAD = "track,artist,set,track\n,id,split,genre_top\ntrack_id,,,\n"
TREES: dict[str, tuple[dict[str, str | None], list[dict[str, str]]]] = {
    "audioset": (
        {
            "class_labels_indices.csv": 'index,mid,display_name\n0,/m/09x0r,"Speech"\n1,/m/05zppz,"Male speech, man"\n',
            "eval_segments.csv": "# made at\n# YTID, start_seconds, end_seconds, positive_labels\n"
            '--4gqARaEJE, 0.000, 10.000, "/m/09x0r,/m/05zppz"\nnot-fetched, 30.000, 40.000, "/m/09x0r"\n',
            "balanced_train_segments.csv": '# YTID\n-0RWZT-miFs, 420.000, 430.000, "/m/09x0r"\n',
            "eval/Y--4gqARaEJE.wav": SOUND,
            "balanced/-0RWZT-miFs_420.flac": SOUND,
        },
        [
            {"path": "balanced/-0RWZT-miFs_420.flac", "label": "Speech", "split": "train", "set": "balanced_train"},
            {"path": "eval/Y--4gqARaEJE.wav", "label": "Speech;Male speech, man", "split": "test", "set": "eval"},
        ],
    ),
    "bird_detection": (
        {
            "ff1010bird_metadata_2018.csv": "itemid,datasetid,hasbird\n64486,ff1010bird,0\n2525,ff1010bird,1\n",
            "wav/64486.wav": SOUND,
            "wav/2525.wav": SOUND,
        },
        [
            {"path": "wav/2525.wav", "label": "bird", "set": "ff1010bird"},
            {"path": "wav/64486.wav", "label": "no bird", "set": "ff1010bird"},
        ],
    ),
    "crema_d": (
        {"AudioWAV/1001_DFA_ANG_XX.wav": SOUND, "AudioWAV/1002_IEO_SAD_HI.wav": SOUND},
        [
            {
                "path": "AudioWAV/1001_DFA_ANG_XX.wav",
                "label": "anger",
                "group": "1001",
                "sentence": "DFA",
                "intensity": "XX",
            },
            {
                "path": "AudioWAV/1002_IEO_SAD_HI.wav",
                "label": "sad",
                "group": "1002",
                "sentence": "IEO",
                "intensity": "HI",
            },
        ],
    ),
    "esc50": (
        {
            "ESC-50-master/meta/esc50.csv": "filename,fold,target,category,esc10,src_file,take\n"
            "1-100032-A-0.wav,1,0,dog,True,100032,A\n5-9032-A-0.wav,5,0,dog,True,9032,A\n",
            "ESC-50-master/audio/1-100032-A-0.wav": SOUND,
            "ESC-50-master/audio/5-9032-A-0.wav": SOUND,
        },
        [
            {
                "path": "ESC-50-master/audio/1-100032-A-0.wav",
                "label": "dog",
                "group": "100032",
                "fold": "1",
                "esc10": "True",
            },
            {
                "path": "ESC-50-master/audio/5-9032-A-0.wav",
                "label": "dog",
                "group": "9032",
                "fold": "5",
                "esc10": "True",
            },
        ],
    ),
    "fma_small": (
        {
            "fma_metadata/tracks.csv": FMA_HEAD + "2,1,training,Hip-Hop\n140,54,test,Folk\n999,7,validation,Rock\n",
            "fma_small/000/000002.mp3": SOUND,
            "fma_small/000/000140.mp3": SOUND,
        },
        [
            {"path": "fma_small/000/000002.mp3", "label": "Hip-Hop", "split": "train", "group": "1"},
            {"path": "fma_small/000/000140.mp3", "label": "Folk", "split": "test", "group": "54"},
        ],
    ),
    "fma_large": (
        {"fma_metadata/tracks.csv": FMA_HEAD + "155066,9,validation,\n", "fma_large/155/155066.mp3": SOUND},
        [{"path": "fma_large/155/155066.mp3", "label": "", "split": "valid", "group": "9"}],
    ),
    "fsd50k": (
        {
            "FSD50K.ground_truth/dev.csv": "fname,labels,mids,split\n"
            '64760,"Electric_guitar,Guitar,Music","/m/02sgy,/m/0342h,/m/04rlf",train\n9,Rain,/m/06mb1,val\n',
            "FSD50K.ground_truth/eval.csv": "fname,labels,mids\n37199,Thunder,/m/0ngt1\n",
            "FSD50K.dev_audio/64760.wav": SOUND,
            "FSD50K.dev_audio/9.wav": SOUND,
            "FSD50K.eval_audio/37199.wav": SOUND,
        },
        [
            {"path": "FSD50K.dev_audio/64760.wav", "label": "Electric_guitar;Guitar;Music", "split": "train"},
            {"path": "FSD50K.dev_audio/9.wav", "label": "Rain", "split": "valid"},
            {"path": "FSD50K.eval_audio/37199.wav", "label": "Thunder", "split": "test"},
        ],
    ),
    "fsdd": (
        {"fsdd/recordings/7_theo_4.wav": SOUND, "fsdd/recordings/0_george_5.wav": SOUND},
        [
            {
                "path": "fsdd/recordings/0_george_5.wav",
                "label": "0",
                "split": "train",
                "speaker": "george",
                "take": "5",
            },
            {"path": "fsdd/recordings/7_theo_4.wav", "label": "7", "split": "test", "speaker": "theo", "take": "4"},
        ],
    ),
    "fsdnoisy18k": (
        {
            "FSDnoisy18k.meta/train.csv": "fname,label,aso_id,manually_verified,noisy_small\n"
            "118016.wav,Acoustic_guitar,/m/042v_gx,1,0\n33317.wav,Rain,/m/06mb1,0,1\n",
            "FSDnoisy18k.meta/test.csv": "fname,label,aso_id\n394.wav,Wind,/m/03m9d0z\n",
            "FSDnoisy18k.audio_train/118016.wav": SOUND,
            "FSDnoisy18k.audio_train/33317.wav": SOUND,
            "FSDnoisy18k.audio_test/394.wav": SOUND,
        },
        [
            {
                "path": "FSDnoisy18k.audio_test/394.wav",
                "label": "Wind",
                "split": "test",
                "quality": "clean",
                "noisy_small": "",
            },
            {
                "path": "FSDnoisy18k.audio_train/118016.wav",
                "label": "Acoustic_guitar",
                "split": "train",
                "quality": "clean",
                "noisy_small": "0",
            },
            {
                "path": "FSDnoisy18k.audio_train/33317.wav",
                "label": "Rain",
                "split": "train",
                "quality": "noisy",
                "noisy_small": "1",
            },
        ],
    ),
    "gtzan": (
        {"genres/blues/blues.00000.wav": SOUND, "genres/jazz/jazz.00054.wav": SOUND, "genres/jazz/._jazz.wav": SOUND},
        [
            {"path": "genres/blues/blues.00000.wav", "label": "blues"},
            {"path": "genres/jazz/jazz.00054.wav", "label": "jazz"},
        ],
    ),
    "librispeech": (
        {"LibriSpeech/train-clean-100/19/198/19-198-0000.flac": SOUND, "LibriSpeech/SPEAKERS.TXT": ""},
        [
            {
                "path": "LibriSpeech/train-clean-100/19/198/19-198-0000.flac",
                "label": "19",
                "group": "19-198",
                "set": "train-clean-100",
            }
        ],
    ),
    "musan": (
        {
            "musan/music/fma/music-fma-0000.wav": SOUND,
            "musan/noise/free-sound/noise-free-sound-0000.wav": SOUND,
            "musan/speech/librivox/speech-librivox-0000.wav": SOUND,
        },
        [
            {"path": "musan/music/fma/music-fma-0000.wav", "label": "music", "source": "fma"},
            {"path": "musan/noise/free-sound/noise-free-sound-0000.wav", "label": "noise", "source": "free-sound"},
            {"path": "musan/speech/librivox/speech-librivox-0000.wav", "label": "speech", "source": "librivox"},
        ],
    ),
    "nsynth": (
        {
            "nsynth-test/examples.json": json.dumps(
                {
                    "bass_synthetic_068-049-025": {
                        "instrument_family_str": "bass",
                        "instrument_str": "bass_synthetic_068",
                        "instrument_source_str": "synthetic",
                        "pitch": 49,
                    }
                }
            ),
            "nsynth-test/audio/bass_synthetic_068-049-025.wav": SOUND,
        },
        [
            {
                "path": "nsynth-test/audio/bass_synthetic_068-049-025.wav",
                "label": "bass",
                "split": "test",
                "group": "bass_synthetic_068",
                "pitch": "49",
                "instrument_source": "synthetic",
            }
        ],
    ),
    "speech_commands_v2": (
        {
            "validation_list.txt": "bed/0a7c2a8d_nohash_1.wav\n",
            "testing_list.txt": "yes/01bb6a2a_nohash_0.wav\n",
            "bed/0a7c2a8d_nohash_1.wav": SOUND,
            "bed/00176480_nohash_0.wav": SOUND,
            "yes/01bb6a2a_nohash_0.wav": SOUND,
            "_background_noise_/pink_noise.wav": SOUND,
        },
        [
            {"path": "bed/00176480_nohash_0.wav", "label": "bed", "split": "train", "group": "00176480"},
            {"path": "bed/0a7c2a8d_nohash_1.wav", "label": "bed", "split": "valid", "group": "0a7c2a8d"},
            {"path": "yes/01bb6a2a_nohash_0.wav", "label": "yes", "split": "test", "group": "01bb6a2a"},
        ],
    ),
    "tut_scenes": (
        {
            "meta.txt": "audio/a001_0_30.wav\tbeach\ta001\naudio/b020_90_100.wav\tbus\tb020\n",
            "evaluation_setup/fold1_evaluate.txt": "audio/b020_90_100.wav\tbus\n",
            "evaluation_setup/fold1_train.txt": "audio/a001_0_30.wav\tbeach\n",
            "audio/a001_0_30.wav": SOUND,
            "audio/b020_90_100.wav": SOUND,
        },
        [
            {"path": "audio/a001_0_30.wav", "label": "beach", "group": "a001"},
            {"path": "audio/b020_90_100.wav", "label": "bus", "group": "b020", "fold": "1"},
        ],
    ),
    "urbansound8k": (
        {
            "UrbanSound8K/metadata/UrbanSound8K.csv": "slice_file_name,fsID,start,end,salience,fold,classID,class\n"
            "100032-3-0-0.wav,100032,0.0,0.317551,1,5,3,dog_bark\n",
            "UrbanSound8K/audio/fold5/100032-3-0-0.wav": SOUND,
        },
        [
            {
                "path": "UrbanSound8K/audio/fold5/100032-3-0-0.wav",
                "label": "dog_bark",
                "group": "100032",
                "fold": "5",
                "salience": "1",
            }
        ],
    ),
    "voxceleb1": (
        {
            "iden_split.txt": "1 id10003/na8-QEFmj44/00003.wav\n3 id10003/tCq2LcKO6xY/00002.wav\n",
            "wav/id10003/na8-QEFmj44/00003.wav": SOUND,
            "wav/id10003/tCq2LcKO6xY/00002.wav": SOUND,
        },
        [
            {
                "path": "wav/id10003/na8-QEFmj44/00003.wav",
                "label": "id10003",
                "group": "id10003-na8-QEFmj44",
                "split": "train",
            },
            {
                "path": "wav/id10003/tCq2LcKO6xY/00002.wav",
                "label": "id10003",
                "group": "id10003-tCq2LcKO6xY",
                "split": "test",
            },
        ],
    ),
    "voxforge": (
        {
            "de/guenter-20140325-bcx/wav/de10-01.wav": SOUND,
            "en/anonymous-20080425-enr/wav/a0001.wav": SOUND,
            "en/anonymous-20080425-enr/etc/PROMPTS": "",
        },
        [
            {"path": "de/guenter-20140325-bcx/wav/de10-01.wav", "label": "de", "group": "de-guenter"},
            {
                "path": "en/anonymous-20080425-enr/wav/a0001.wav",
                "label": "en",
                "group": "en-anonymous-20080425-enr",
            },
        ],
    ),
}
TREES["speech_commands_v1"] = TREES["speech_commands_v2"]


def grow(folder, files) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("" if text is SOUND else text, encoding="utf-8")


def test_every_corpus_is_here():
    assert sorted(TREES) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_published_layout_becomes_records(name, tmp_path):
    files, expected = TREES[name]
    grow(tmp_path / "there", files)
    assert records(name, tmp_path / "there") == expected
    file = write_list(expected, tmp_path / "there", tmp_path / "lists.csv")
    found = rows(file, multi=name in ("audioset", "fsd50k"))
    assert [row.path for row in found] == [tmp_path / "there" / row["path"] for row in expected]
    first = expected[0]
    split, group = first.get("split", ""), first.get("group", "")
    labels = tuple(first["label"].split(";")) if first["label"] else ()
    assert found[0] == Row(tmp_path / "there" / first["path"], labels, split, group)

    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="expected the layout as published, with"):
        records(name, tmp_path / "empty")
    module = corpus(name)
    assert module.__doc__ and module.LICENCE and module.SOURCE.startswith("http")
    for archive in module.ARCHIVES:
        kind, _, digest = archive.checksum.partition(":")
        assert len(bytes.fromhex(digest)) == {"md5": 16, "sha1": 20, "sha256": 32}[kind]


def test_folds_become_splits(tmp_path):
    grow(tmp_path, TREES["esc50"][0])
    assert [row["split"] for row in records("esc50", tmp_path, "5")] == ["train", "test"]
    with pytest.raises(DataError, match="esc50 has the folds 1, 5, not '7'"):
        records("esc50", tmp_path, "7")
    grow(tmp_path / "music", TREES["gtzan"][0])
    with pytest.raises(DataError, match="gtzan has no folds, not '1'"):
        records("gtzan", tmp_path / "music", "1")


def test_unknown_names():
    with pytest.raises(DataError, match="unknown corpus 'esc-50'; did you mean 'esc50'"):
        corpus("esc-50")


@pytest.fixture
def published(tmp_path, monkeypatch) -> ModuleType:
    """A corpus of two archives that lie on this disk; `fetched` counts."""
    module = ModuleType("tiny")
    module.__doc__, module.LICENCE, module.SOURCE, module.fetched = "Tiny: a corpus.", "CC0", "http://nowhere", []
    (tmp_path / "web").mkdir()
    soundfile.write(tmp_path / "one.wav", [0.1] * 800, 16000)
    with zipfile.ZipFile(tmp_path / "web/one.zip", "w") as packed:
        packed.write(tmp_path / "one.wav", "../../cat/one.wav")  # a name that would climb out
    with tarfile.open(tmp_path / "web/two.tar.gz", "w:gz") as packed:
        packed.add(tmp_path / "one.wav", "dog/two.wav")
    module.ARCHIVES = tuple(Archive(f"http://nowhere/{name}?download=1", "") for name in ("one.zip", "two.tar.gz"))

    def records(folder):
        for path in folder.rglob("*.wav"):
            yield {"path": path.relative_to(folder).as_posix(), "label": path.parent.name}

    def fetch(url, path, checksum, progress):
        module.fetched.append(path.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((tmp_path / "web" / path.name).read_bytes())
        progress(5, 10)
        return path

    module.records = records
    monkeypatch.setattr(corpora, "corpus", lambda name: module)
    monkeypatch.setattr(fetching, "corpus", lambda name: module)
    monkeypatch.setattr(fetching, "fetch", fetch)
    return module


def test_fetched_it_is_unpacked_and_listed_once(published, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["data", "fetch", "tiny"]) == 0
    written = capsys.readouterr()
    assert "tiny: licence CC0; http://nowhere\none.zip: 0.0 of 0.0 MB" in written.err
    assert written.out == "data/tiny/tiny.csv: 2 recordings\nnext: kerascola data check data/tiny/tiny.csv\n"
    with open("data/tiny/tiny.csv") as file:
        assert list(csv.DictReader(file)) == [
            {"path": "cat/one.wav", "label": "cat"},
            {"path": "dog/two.wav", "label": "dog"},
        ]
    assert not list(tmp_path.glob("data/tiny/*.zip")) and not (tmp_path / "cat").exists()
    assert main(["data", "fetch", "tiny"]) == 0
    assert published.fetched == ["one.zip", "two.tar.gz"]
    assert main(["data", "check", "data/tiny/tiny.csv"]) == 0


def test_an_archive_that_is_none(published, tmp_path):
    (tmp_path / "web/one.zip").write_bytes(b"no archive")
    with pytest.raises(FetchError, match="one.zip: expected an archive that can be unpacked"):
        fetching.fetch_corpus("tiny", tmp_path / "to", lambda archive: lambda done, total: None)


def test_what_may_not_be_fetched_says_where_it_is(published, tmp_path):
    published.ARCHIVES = ()
    with pytest.raises(DataError, match=r"not for a program to fetch \(licence: CC0\). See http://nowhere; once"):
        fetching.fetch_corpus("tiny", tmp_path, lambda archive: lambda done, total: None)
    assert main(["data", "list"]) == 0
