"""The AISHELL-1 recipe: its layout, whole and broken, and from WAV to character error rates."""

import csv
import json

import numpy as np
import pytest
import soundfile
from recipe_modules import load_recipe
from tones import speak, train

prepare_aishell = load_recipe("AISHELL-1", "aishell_prepare").prepare_aishell
CHARACTERS = "一二三四五"
SIZES = {"train": (4, 6), "dev": (1, 4), "test": (2, 3)}  # speakers, utterances of each


@pytest.fixture
def data(tmp_path):
    """A corpus in which a character is a tone; words have blanks between them."""
    folder, lines = tmp_path / "data_aishell", []
    draw = np.random.default_rng(0)
    speaker = 1
    for split, (speakers, utterances) in SIZES.items():
        for _ in range(speakers):
            speaker += 1
            own = folder / "wav" / split / f"S{speaker:04d}"
            own.mkdir(parents=True)
            for index in range(utterances):
                numbers = draw.choice(len(CHARACTERS), 4)
                name = f"BAC009S{speaker:04d}W{index:04d}"
                soundfile.write(own / f"{name}.wav", speak(numbers, 0.3), 16000)
                text = "".join(CHARACTERS[number] for number in numbers)
                lines.append(f"{name} {text[:2]} {text[2:]}\n")
    (folder / "transcript").mkdir()
    transcript(folder).write_text("".join(lines), encoding="utf-8")
    return folder


@pytest.fixture
def prepare(data, tmp_path, log):
    def run(data_folder=data, **options):
        log.clear()
        prepare_aishell(data_folder, tmp_path / "save", ["train"], ["dev"], ["test"], **options)
        return tmp_path / "save"

    return run


def transcript(folder):
    return folder / "transcript" / "aishell_transcript_v0.8.txt"


def edit(folder, old, new):
    text = transcript(folder).read_text(encoding="utf-8")
    assert old in text
    transcript(folder).write_text(text.replace(old, new), encoding="utf-8")


def rows_of(save, name):
    with open(save / f"{name}.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_rows(prepare, data):
    edit(data, "BAC009S0002W0000 ", "BAC009S0002W0000 \uff49\uff50 ")
    save = prepare(data.parent)  # the folder above will do
    counts = {name: speakers * utterances for name, (speakers, utterances) in SIZES.items()}
    assert {name: len(rows_of(save, name)) for name in SIZES} == counts
    row = rows_of(save, "train")[0]
    assert (row["ID"], row["spk_id"], row["wrd"][:2]) == ("BAC009S0002W0000", "S0002", "IP")
    assert len(row["wrd"]) == 6
    assert row["wav"] == str(data / "wav" / "train" / "S0002" / "BAC009S0002W0000.wav")


def test_recordings_without_transcript_are_not_of_the_corpus(prepare, data, log):
    edit(data, "BAC009S0006W0000", "BAC009S0006W9000")
    with pytest.raises(ValueError, match=r"BAC009S0006W9000 .*transcript without audio: /"):
        prepare()
    text = transcript(data).read_text(encoding="utf-8")
    kept = [line for line in text.splitlines(keepends=True) if "W9000" not in line]
    transcript(data).write_text("".join(kept), encoding="utf-8")
    assert len(rows_of(prepare(), "dev")) == 3
    assert "dev: 1 recordings that the transcript does not name" in log


def test_a_speaker_who_is_in_no_split(prepare, data):
    own = data / "wav" / "test" / "S0008"
    own.rename(data / "S0008")
    with pytest.raises(ValueError, match=r"1 speakers who have no folder .*: S0008"):
        prepare()
    assert len(rows_of(prepare(allow_incomplete_evaluation=True), "test")) == 3


def test_packed_archives(prepare, data):
    (data / "wav" / "S0009.tar.gz").write_bytes(b"")
    with pytest.raises(FileNotFoundError, match=r"1 archives .*S0009.tar.gz.*tar xzf"):
        prepare()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("BAC009S0002W0001", "BAC009S0002W0000", "line 2: a second transcript of BAC009S0002W0000"),
        ("BAC009S0002W0001", "S2-1", "line 2: S2-1 is no name of an utterance"),
    ],
)
def test_a_transcript_that_makes_no_sense(prepare, data, old, new, message):
    edit(data, old, new)
    with pytest.raises(ValueError, match=message):
        prepare()


def test_a_folder_without_the_corpus(prepare, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"the transcript is not there"):
        prepare(tmp_path / "nothing")


def test_from_wav_to_character_error_rates(data, tmp_path):
    settings = {"num_decoder_layers": 1, "test_beam_size": 2, "number_of_epochs": 2}
    brain = train("AISHELL-1", "demo.yaml", data, tmp_path / "run", **settings)
    assert brain.targets.size == len(CHARACTERS) + 4  # counted: blank, bos, eos, begin of a text
    results = tmp_path / "run" / "results"
    result = json.loads((results / "test.json").read_text())
    assert result["wer"] is None
    assert (result["error_unit"], result["characters"]) == ("character", 4 * 6)
    errors = result["substitutions"] + result["deletions"] + result["insertions"]
    assert result["cer"] == pytest.approx(100 * errors / 24)
    reference = (results / "test.ref.txt").read_text(encoding="utf-8").split("\n")[0]
    assert (
        reference.split("\t")[1].replace(" ", "")
        in rows_of(tmp_path / "run" / "save" / "manifests", "test")[0]["wrd"]
    )
    log = (tmp_path / "run" / "train_log.txt").read_text()
    assert "valid CER" in log
    assert "WER" not in log


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"avg_checkpoints_by": "WER"}, "choose CER, not WER"),
        ({"error_unit": "letter"}, "error_unit"),
    ],
)
def test_settings_that_make_no_sense(data, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        train("AISHELL-1", "demo.yaml", data, tmp_path / "run", **options)
