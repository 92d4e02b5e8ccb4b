"""The corpus on disk, in SLURP's layout: of our grammar, and of given annotations."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from recipes.minicorpora import slurp
from recipes.minicorpora.annotations import draw_annotations, read_annotations, silent
from recipes.minicorpora.slurp import main, make_slurp, sources_of
from recipes.minicorpora.speech import speak

COUNTS = {"train": 24, "train_synthetic": 6, "devel": 6, "test": 12}
SPEAKERS = {"train": 10, "devel": 4, "test": 8}
HEADSET = "-headset.flac"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Output folder and statistics of a small corpus, spoken by two processes."""
    output = tmp_path_factory.mktemp("slurp")
    annotations = draw_annotations(COUNTS, seed=3)
    return output, make_slurp(output, annotations, SPEAKERS, 0.5, 3, workers=2, progress=False)


@pytest.fixture
def given(tmp_path):
    """A file of SLURP's annotations, with what real sentences bring along."""
    rows = [
        {"slurp_id": 7, "sentence": "wake me at 5:30", "entities": [{"span": [3], "type": "time"}]},
        {"nlueval_answerid": 8, "sentence": "what's new", "recordings": [{"file": "gone.flac"}]},
        {"slurp_id": 9, "sentence": "..."},
        {"slurp_id": 7, "sentence": "what's new", "scenario": "news"},
    ]
    path = tmp_path / "given:1.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def rows_of(output, split):
    """The annotations of a split."""
    path = output / "SLURP" / "dataset" / "slurp" / f"{split}.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def audio_of(output, split, row):
    """The files that a sentence names."""
    folder = "slurp_synth" if split == "train_synthetic" else "slurp_real"
    names = [recording["file"] for recording in row["recordings"]]
    return [output / "SLURP" / "audio" / folder / name for name in names]


def contents(folder):
    """``{relative path: bytes}`` of all files."""
    return {
        path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_layout(corpus):
    output, statistics = corpus
    named = set()
    for split, count in COUNTS.items():
        rows = rows_of(output, split)
        assert len(rows) == count == statistics[split]["sentences"]
        files = [path for row in rows for path in audio_of(output, split, row)]
        assert len(files) == statistics[split]["recordings"]
        assert not named & set(files)
        named.update(files)
        for row in rows:
            assert row.keys() >= {"slurp_id", "sentence", "sentence_annotation", "tokens"}
            assert row["recordings"][0]["file"].endswith(HEADSET)
            for recording in row["recordings"]:
                assert re.fullmatch(r"audio-\d{10}(-headset)?\.flac", recording["file"])
                assert (recording["ent_wer"] is None) == (not row["entities"])
    assert named == set((output / "SLURP" / "audio").rglob("*.flac"))


def test_voices_of_devel_and_test_are_their_own(corpus):
    speakers = {}
    for split in COUNTS:
        files = [
            path for row in rows_of(corpus[0], split) for path in audio_of(*corpus[:1], split, row)
        ]
        speakers[split] = {path.name[len("audio-") :][:4] for path in files}
        assert len(speakers[split]) == corpus[1][split]["speakers"]
    assert len(speakers["train"]) == SPEAKERS["train"]
    assert speakers["train_synthetic"] <= speakers["train"]
    assert not speakers["train"] & (speakers["devel"] | speakers["test"])
    assert not speakers["devel"] & speakers["test"]


def test_audio_is_speech_and_noisier_from_afar(corpus):
    output, statistics = corpus
    seconds, contrasts, peaks = 0, {True: [], False: []}, {True: [], False: []}
    for split in COUNTS:
        for row in rows_of(output, split):
            for path in audio_of(output, split, row):
                wave, rate = soundfile.read(path)
                assert rate == 16000
                assert wave.ndim == 1
                assert 0.15 < len(wave) / rate / len(row["tokens"]) < 1.5
                seconds += len(wave) / rate
                # frames of 25 ms: loud ones against the quietest ones
                power = np.mean(wave[: len(wave) // 400 * 400].reshape(-1, 400) ** 2, axis=1)
                near = path.name.endswith(HEADSET)
                if split not in ("train", "train_synthetic"):  # some of those have louder noise
                    contrasts[near].append(np.quantile(power, 0.9) / power.min())
                peaks[near].append(np.abs(wave).max())
    assert sum(row["hours"] for row in statistics.values()) * 3600 == pytest.approx(seconds, abs=1)
    # half of the sentences, by chance, were recorded from afar too
    assert 0.3 < len(peaks[False]) / len(peaks[True]) < 0.7
    assert min(contrasts[True]) > 30
    assert np.median(contrasts[True]) > 20 * np.median(contrasts[False])
    assert np.median(peaks[True]) > 2 * np.median(peaks[False])
    assert min(peaks[False]) > 0.01


def test_a_far_recording_is_by_the_same_speaker_at_the_same_time(corpus):
    for row in rows_of(corpus[0], "train"):
        near, *far = audio_of(corpus[0], "train", row)
        for path in far:
            assert path.name == near.name.replace("-headset", "")
            waves = [soundfile.read(name)[0] for name in (near, path)]
            assert len(waves[0]) == len(waves[1])
            assert np.corrcoef(*waves)[0, 1] > 0.5


def test_same_seed_same_bytes_from_the_command_line_with_other_workers(corpus, tmp_path):
    options = ["--seed=3", "--workers=1", "--far=0.5", "--train-synthetic=6"]
    for split, count in SPEAKERS.items():
        options += [f"--{split}={COUNTS[split]}", f"--{split}-speakers={count}"]
    command = [sys.executable, "-m", "recipes.minicorpora.slurp", str(tmp_path)]
    run = subprocess.run([*command, *options], capture_output=True, text=True, check=True)
    assert contents(tmp_path) == contents(corpus[0])
    assert re.search(r"train_synthetic +0\.0\d +6 +6 ", run.stdout)


def test_the_corpus_is_made_once(corpus, monkeypatch):
    output, statistics = corpus
    monkeypatch.setattr(slurp, "speak_all", None)
    annotations = draw_annotations(COUNTS, seed=3)
    assert make_slurp(output, annotations, SPEAKERS, 0.5, 3) == statistics
    with pytest.raises(FileExistsError, match=r"far is 0\.5, not 0\.3"):
        make_slurp(output, annotations, SPEAKERS, seed=3)
    others = draw_annotations(COUNTS, seed=4)
    with pytest.raises(FileExistsError, match=r"annotations is \w+, not \w+\)"):
        make_slurp(output, others, SPEAKERS, 0.5, 3)


def test_given_annotations_are_spoken(given, tmp_path, capsys, caplog):
    main([str(tmp_path), "--annotations", f"test={given}", "--far=0", "--workers=1"])
    assert re.search(r"test +0\.00 +3 +3 ", capsys.readouterr().out)
    assert "test: 1 sentences make no sound and are skipped: ['...']" in caplog.text
    assert [path.name for path in (tmp_path / "SLURP/dataset/slurp").iterdir()] == ["test.jsonl"]
    rows = rows_of(tmp_path, "test")
    assert [row["slurp_id"] for row in rows] == [7, 8, 7]
    assert [row["sentence"] for row in rows] == ["wake me at 5:30", "what's new", "what's new"]
    assert rows[0]["entities"] == [{"span": [3], "type": "time"}]
    assert rows[1]["nlueval_answerid"] == 8
    assert rows[2]["scenario"] == "news"
    files = [audio_of(tmp_path, "test", row) for row in rows]
    assert all(len(paths) == 1 and paths[0].is_file() for paths in files)
    # each of two equal sentences has a recording of its own
    assert files[1] != files[2]
    assert soundfile.info(files[0][0]).duration > soundfile.info(files[1][0]).duration


def test_the_first_lines_of_a_file(given):
    assert [len(rows) for rows in sources_of([f"devel={given}:2", f"test={given}"]).values()] == [
        2,
        4,
    ]
    assert read_annotations(given, limit=1)[0]["slurp_id"] == 7


@pytest.mark.parametrize("line", ["{", "[]", '"text"', '{"sentence": "stop"}', '{"slurp_id": 1}'])
def test_a_line_that_is_no_annotation_is_named(given, line):
    with given.open("a", encoding="utf-8") as lines:
        lines.write(line + "\n")
    with pytest.raises(ValueError, match=r"given:1\.jsonl, line 5: .*nlueval_answerid"):
        read_annotations(given)


def test_silent_means_that_espeak_makes_no_sound():
    sentences = ["", "...", "'", "[ ]", "@", "5:30", "hello. ...", "... hello", "domino 's", "*"]
    mute = silent(sentences)
    for sentence in sentences:
        if sentence in mute:
            with pytest.raises(ValueError, match="makes no sound"):
                speak(sentence)
        else:
            assert len(speak(sentence)) > 1000


def test_real_annotations_have_no_silent_sentence(real_data, tmp_path):
    folder = real_data / "SLURP"
    annotations = {
        "train": read_annotations(folder / "train_from_nlueval.jsonl"),
        "test": read_annotations(folder / "test.jsonl"),
    }
    assert silent(row["sentence"] for rows in annotations.values() for row in rows) == []
    few = {split: rows[:2] for split, rows in annotations.items()}
    make_slurp(tmp_path, few, far=0, workers=1, progress=False)
    for split, rows in few.items():
        spoken = rows_of(tmp_path, split)
        assert [{**row, "recordings": 0} for row in spoken] == [
            {**row, "recordings": 0} for row in rows
        ]


def test_errors(corpus, given, tmp_path):
    rows = {"test": read_annotations(given)}
    with pytest.raises(ValueError, match=r"far must be a share between 0 and 1, not 2"):
        make_slurp(tmp_path, rows, far=2)
    with pytest.raises(ValueError, match=r"no splits \['dev'\]; it has train, train_synthetic"):
        make_slurp(tmp_path, {"dev": rows["test"]})
    with pytest.raises(ValueError, match="nothing to say"):
        make_slurp(tmp_path, {})
    with pytest.raises(ValueError, match="test has no sentence that can be spoken"):
        make_slurp(tmp_path, {"test": rows["test"][2:3]})
    assert not (tmp_path / "SLURP").exists()


def test_errors_on_the_command_line(corpus, tmp_path, monkeypatch):
    with pytest.raises(SystemExit, match=r"error: .* holds another corpus"):
        main([str(corpus[0])])
    with pytest.raises(SystemExit, match="error: workers must be 1 or more"):
        main([str(tmp_path), "--workers=0"])
    with pytest.raises(SystemExit, match="error: --annotations needs SPLIT=FILE"):
        main([str(tmp_path), "--annotations", "test.jsonl"])
    with pytest.raises(SystemExit, match=r"error: --annotations test: there is no file .*none"):
        main([str(tmp_path), "--annotations", f"test={tmp_path / 'none'}:5"])
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(SystemExit, match=r"pip install .summarymixing-sb\[demo\]"):
        main([str(tmp_path), "--train=2", "--devel=1", "--test=1"])
