"""The corpora on disk, in CommonVoice's layout."""

import csv
import re

import numpy as np
import pytest
import soundfile

from recipes.minicorpora import commonvoice
from recipes.minicorpora.commonvoice import LANGUAGES, main, make_commonvoice

SIZES = {"train": (8, 4), "dev": (3, 2), "test": (4, 4)}
OPTIONS = [
    *("--train=8", "--train-speakers=4", "--dev=3", "--dev-speakers=2"),
    *("--test=4", "--test-speakers=4", "--seed=3"),
]


@pytest.fixture(scope="module", params=LANGUAGES)
def small_commonvoice(request, tmp_path_factory):
    """Output folder, language and statistics of a small corpus."""
    output = tmp_path_factory.mktemp("minicorpus")
    statistics = make_commonvoice(output, request.param, SIZES, seed=3, workers=1, progress=False)
    return output, request.param, statistics


def rows_of(path):
    """Rows of a TSV file of CommonVoice, in which quotes mean nothing."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def test_layout(small_commonvoice):
    output, language, statistics = small_commonvoice
    folder = output / "CommonVoice" / language
    clips, clients, sentences = [], [], []
    for split, (count, speakers) in SIZES.items():
        rows = rows_of(folder / f"{split}.tsv")
        assert tuple(rows[0]) == commonvoice.COLUMNS
        assert len(rows) == count == statistics[split]["sentences"]
        assert len({row["client_id"] for row in rows}) == speakers
        assert {row["locale"] for row in rows} == {language}
        assert {row["gender"] for row in rows} == {"female", "male"}
        assert all(re.fullmatch("[0-9a-f]{128}", row["client_id"]) for row in rows)
        clips += [row["path"] for row in rows]
        clients += {row["client_id"] for row in rows}
        sentences += [row["sentence"] for row in rows]
    assert sorted(clips) == sorted(path.name for path in (folder / "clips").iterdir())
    assert all(re.fullmatch(rf"common_voice_{language}_\d+\.mp3", clip) for clip in clips)
    assert len(set(clients)) == len(clients)
    assert len(set(sentences)) == len(sentences) == 15


def test_the_columns_are_those_of_the_real_files(real_data):
    head = (real_data / "CommonVoice" / "nl" / "train.tsv").read_text().split("\n")[0]
    assert tuple(head.split("\t")) == commonvoice.COLUMNS


def test_sentences_are_written_as_people_write(small_commonvoice):
    output, language, _ = small_commonvoice
    first_words = {True: set(), False: set()}
    for split in SIZES:
        for row in rows_of(output / "CommonVoice" / language / f"{split}.tsv"):
            sentence = row["sentence"]
            assert re.fullmatch(r"[A-Z][^\W\d_]*([ '][^\W\d_]+)*[.?]", sentence)
            first_words[sentence[-1] == "?"].add(sentence.split()[0].lower())
    assert first_words[True] <= LANGUAGES[language].question_words
    assert not first_words[False] & LANGUAGES[language].question_words


def test_clips_are_speech_of_a_plausible_length(small_commonvoice):
    output, language, statistics = small_commonvoice
    total = 0
    for split in SIZES:
        for row in rows_of(output / "CommonVoice" / language / f"{split}.tsv"):
            path = output / "CommonVoice" / language / "clips" / row["path"]
            info = soundfile.info(path)
            assert (info.samplerate, info.channels) == (48000, 1)
            assert info.subtype == "MPEG_LAYER_III"
            wave, _ = soundfile.read(path)
            assert 0.15 < len(wave) / 48000 / len(row["sentence"].split()) < 0.7
            assert 0.15 < np.abs(wave).max() < 0.9
            total += len(wave) / 48000
    assert sum(row["hours"] for row in statistics.values()) * 3600 == pytest.approx(total, abs=1)


def test_same_seed_same_bytes_from_the_command_line_with_other_workers(
    small_commonvoice, tmp_path, capsys
):
    output, language, _ = small_commonvoice
    main([str(tmp_path), f"--language={language}", "--workers=2", *OPTIONS])
    assert re.search(r"train +0\.0\d +8 +4 +\d+ +0", capsys.readouterr().out)
    one, two = (
        {
            path.relative_to(folder): path.read_bytes()
            for path in (folder / "CommonVoice" / language).rglob("*")
            if path.is_file()
        }
        for folder in (output, tmp_path)
    )
    assert one == two


def test_languages_lie_side_by_side_and_each_is_made_once(small_commonvoice, monkeypatch):
    output, language, statistics = small_commonvoice
    monkeypatch.setattr(commonvoice, "speak_all", None)
    assert make_commonvoice(output, language, SIZES, seed=3) == statistics
    with pytest.raises(FileExistsError, match=f"{language} holds another corpus"):
        make_commonvoice(output, language, SIZES, seed=4)


def test_errors_on_the_command_line(tmp_path, capsys):
    with pytest.raises(ValueError, match="unknown language 'eo'; known: fr, it, nl"):
        make_commonvoice(tmp_path, "eo")
    with pytest.raises(SystemExit):
        main([str(tmp_path), "--language=eo"])
    assert "invalid choice: 'eo'" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="error: train speakers must be between 1 and 31"):
        main([str(tmp_path), "--language=it", "--train-speakers=60"])
    assert not list(tmp_path.iterdir())
