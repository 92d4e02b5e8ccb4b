"""The TED-LIUM recipe: its layout, whole and broken, and from talks to word error rates."""

import csv
import json

import numpy as np
import pytest
import soundfile
from recipe_modules import load_recipe
from tones import speak, train

from recipes.minicorpora.tedlium import make_tedlium
from summarymixing_sb.data.audio import probe_audio

recipe = load_recipe("TED-LIUM", "tedlium_prepare")
WORDS = ("a", "be", "so", "it")
SIZES = {"train": (4, 6), "dev": (1, 4), "test": (2, 3)}  # talks, segments of each
GAP = 0.5  # s before each segment


@pytest.fixture
def data(tmp_path):
    """Talks in which a word is a tone, after half a second that is not scored."""
    folder, draw = tmp_path / "TEDLIUM_release2", np.random.default_rng(0)
    for split, (talks, segments) in SIZES.items():
        for kind in ("sph", "stm"):
            (folder / split / kind).mkdir(parents=True)
        for index in range(talks):
            talk, sound = f"{split.capitalize()}{index}_2012", []
            lines = [f"{talk} 1 inter_segment_gap 0 {GAP} <o,,unknown> {recipe.IGNORED}\n"]
            for place in range(segments):
                numbers = draw.choice(len(WORDS), 3)
                sound += [np.zeros(round(GAP * 16000)), speak(numbers, 0.3)]
                start = place * (GAP + 0.9) + GAP
                text = " ".join(WORDS[number] for number in numbers)
                lines.append(f"{talk} 1 {talk} {start:.2f} {start + 0.9:.2f} <o,f0,male> {text}\n")
            path = folder / split / "sph" / f"{talk}.sph"
            soundfile.write(path, np.concatenate(sound), 16000, "PCM_16", format="NIST")
            (folder / split / "stm" / f"{talk}.stm").write_text("".join(lines))
    return folder


@pytest.fixture
def prepare(data, tmp_path, log):
    def run(data_folder=data, **options):
        log.clear()
        splits = (["train"], ["dev"], ["test"])
        recipe.prepare_tedlium(data_folder, tmp_path / "save", *splits, **options)
        return {split: rows_of(tmp_path / "save" / f"{split}.csv") for split in SIZES}

    return run


def rows_of(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def edit(folder, split, old, new):
    """Change the STM file of a split's first talk."""
    stm = folder / split / "stm" / f"{split.capitalize()}0_2012.stm"
    text = stm.read_text()
    assert old in text
    stm.write_text(text.replace(old, new, 1))


def test_rows(prepare, data, log):
    rows = prepare()
    assert {split: len(own) for split, own in rows.items()} == {"train": 24, "dev": 4, "test": 6}
    assert rows["test"][1]["ID"] == "Test0_2012-0000190-0000280"
    assert (rows["test"][1]["start"], rows["test"][1]["end"]) == ("1.9", "2.8")
    assert float(rows["test"][1]["duration"]) == pytest.approx(0.9)
    assert rows["test"][1]["recording"] == "Test0_2012"
    assert "test: 2 segments without words, or not to be scored" in log


def test_tabs_and_labels_of_release_3(prepare, data):
    rows = prepare()
    for stm in (data / "test" / "stm").iterdir():
        text = stm.read_text().replace("<o,f0,male>", "<NA>").replace(" 1 ", "\t1\t")
        stm.write_text(text)
    assert prepare()["test"] == rows["test"]


def test_release_3_has_its_splits_in_a_folder(prepare, data):
    rows = prepare()
    legacy = data.parent / "TEDLIUM_release-3" / "legacy"
    legacy.parent.mkdir()
    data.rename(legacy)
    assert [row["ID"] for row in prepare(legacy.parent)["test"]] == [
        row["ID"] for row in rows["test"]
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("don 't you 'll see", "don't you'll see"),
        ("<unk> um {UH} so(2)", "um so"),
        ("the dogs ' bowl", "the dogs bowl"),
        ("'cause it 's", "'cause it's"),
        ("[laughter]", ""),
    ],
)
def test_transcripts(text, words):
    assert recipe.normalise(text) == words


def test_a_talk_without_recording(prepare, data):
    (data / "test" / "sph" / "Test1_2012.sph").rename(data / "Test1_2012.sph")
    with pytest.raises(ValueError, match=r"3 of test.*segment without recording"):
        prepare()
    assert len(prepare(allow_incomplete_evaluation=True)["test"]) == 3


def test_a_shortened_recording_names_the_tool(prepare, data):
    path = data / "dev" / "sph" / "Dev0_2012.sph"
    header = path.read_bytes().replace(b"-s3 pcm\n", b"-s26 pcm,embedded-shorten-v2.00\n", 1)
    path.write_bytes(header)
    assert probe_audio(str(path)).problem == "compressed by shorten"
    with pytest.raises(ValueError, match=r"compressed by shorten"):
        prepare()
    # what it was unpacked to is taken beside it
    soundfile.write(path.with_suffix(".wav"), np.random.default_rng(0).normal(0, 0.1, 96000), 16000)
    path.unlink()
    assert prepare()["dev"][0]["wav"].endswith("Dev0_2012.wav")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("1 Dev0_2012 0.50 1.40", "1 Dev0_2012 half 1.40", r"Dev0_2012\.stm, line 2: no talk"),
        ("0.50 1.40", "0.50 99.00", r"segment outside of its recording"),
        ("0.50 1.40", "1.40 0.50", r"segment outside of its recording"),
    ],
)
def test_lines_that_make_no_sense(prepare, data, old, new, message):
    edit(data, "dev", old, new)
    with pytest.raises(ValueError, match=message):
        prepare()


def test_a_folder_without_the_corpus(prepare, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"Splits there: none"):
        prepare(tmp_path / "nothing")


def test_segments_and_whole_talks(data, tmp_path):
    settings = {"num_decoder_layers": 1, "number_of_epochs": 2}
    settings |= {"token_type": "char", "test_decoding": "ctc_greedy"}
    train("TED-LIUM", "demo.yaml", data, tmp_path / "run", **settings)
    long_form = {"test_long_form": True, "results_folder": tmp_path / "long"}
    train("TED-LIUM", "demo.yaml", data, tmp_path / "run", "--test_only", **settings, **long_form)
    result = json.loads((tmp_path / "run" / "results" / "test.json").read_text())
    whole = json.loads((tmp_path / "long" / "test.long_form.json").read_text())
    assert (result["utterances"], whole["utterances"]) == (6, 2)
    assert result["words"] == whole["words"] == 18
    # from the start of the first segment to the end of the last
    assert whole["hours_audio"] == pytest.approx(2 * (3 * 0.9 + 2 * GAP) / 3600, rel=0.01)
    assert whole["annotated_utterances"] is None
    log = (tmp_path / "run" / "train_log.txt").read_text()
    assert "test: test.long_form - test WER" in log  # of whole recordings there is no loss
    assert len(whole["wer_interval"]) == 2
    reference = (tmp_path / "long" / "test.long_form.ref.txt").read_text().split("\n")[0]
    rows = rows_of(tmp_path / "run" / "save" / "manifests" / "test.csv")
    name, text = reference.split("\t")
    assert text == " ".join(row["wrd"] for row in rows if row["recording"] == name)


def test_an_attention_decoder_writes_no_whole_talk(data, tmp_path):
    with pytest.raises(ValueError, match=r"test_long_form: an attention decoder"):
        train("TED-LIUM", "demo.yaml", data, tmp_path / "run", test_long_form=True)


def test_the_mini_corpus_has_the_layout(tmp_path):
    sizes = {"train": (6, 2), "dev": (3, 1), "test": (4, 2)}
    statistics = make_tedlium(tmp_path, sizes, workers=1, progress=False)
    splits = (["train"], ["dev"], ["test"])
    recipe.prepare_tedlium(tmp_path / "TED-LIUM", tmp_path / "save", *splits)
    for split, (sentences, talks) in sizes.items():
        rows = rows_of(tmp_path / "save" / f"{split}.csv")
        assert len(rows) == sentences == statistics[split]["sentences"]
        assert len({row["recording"] for row in rows}) == talks
        said = sum(float(row["duration"]) for row in rows) / 3600
        assert said == pytest.approx(statistics[split]["hours"], abs=1e-4)
    assert not (tmp_path / "TED-LIUM" / "spoken").exists()
