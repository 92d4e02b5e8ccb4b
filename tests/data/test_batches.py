"""The data pipeline: what is skipped, what is refused, how batches are made."""

import csv
import logging
import pickle
from itertools import pairwise

import pytest
import soundfile
import torch

from summarymixing_sb.data.batches import (
    filter_utterances,
    make_batches,
    make_dataset,
    read_manifests,
)


@pytest.fixture
def hparams(brain):
    return {**vars(brain.hparams), "avoid_if_longer_than": 10.0, "avoid_if_shorter_than": 0.1}


def utterance(duration, words="A CAB"):
    return {"duration": duration, "wav": "", "spk_id": "1", "wrd": words}


def test_leaves_out_and_counts(tokenizer, targets, hparams, caplog):
    data = {
        "kept": utterance(2.0),
        "long": utterance(10.5),
        "short": utterance(0.05),
        "crowded": utterance(0.2, "DAD FED A CAFE"),
        "unknown": utterance(2.0, "DÉJÀ"),
    }
    with caplog.at_level(logging.INFO, "summarymixing_sb.data.batches"):
        kept = filter_utterances(data, targets, hparams)
    assert list(kept) == ["kept"]
    assert targets.lengths(kept.values()) == [len(tokenizer.encode("A CAB"))]
    [line] = [record.getMessage() for record in caplog.records]
    assert "1 of 5 utterances to train on" in line
    for reason in ("1 too short for CTC", "1 longer than 10.0 s", "1 shorter than 0.1 s", "1 with"):
        assert reason in line


def test_ctc_needs_a_frame_between_equal_tokens(tokenizer, targets, hparams):
    """At the very edge: as many encoder frames as CTC needs, and one fewer."""
    words = "FEEED"
    tokens = tokenizer.encode(words)
    needed = len(tokens) + sum(a == b for a, b in pairwise(tokens))
    assert needed > len(tokens)
    hparams["speed_changes"] = [100]
    # 4 feature frames to an encoder frame, 160 samples to a feature frame
    enough = (4 * (needed - 1)) * 160 / 16000
    data = {"enough": utterance(enough), "too few": utterance(enough - 0.01), "rest": utterance(3)}
    hparams["avoid_if_shorter_than"] = 0
    kept = filter_utterances(
        {key: {**item, "wrd": words} for key, item in data.items()}, targets, hparams
    )
    assert list(kept) == ["enough", "rest"]
    # sped up, it has fewer
    hparams["speed_changes"] = [95, 105]
    kept = filter_utterances(
        {key: {**item, "wrd": words} for key, item in data.items()}, targets, hparams
    )
    assert list(kept) == ["rest"]


def test_nothing_left(targets, hparams):
    with pytest.raises(ValueError, match="no utterance is left to train on; skipped: 1 longer"):
        filter_utterances({"long": utterance(11.0)}, targets, hparams)


def test_items(tokenizer, targets, hparams, tmp_path):
    soundfile.write(tmp_path / "a.flac", torch.randn(8000).numpy() / 9, 16000)
    data = {"a": {**utterance(0.5), "wav": str(tmp_path / "a.flac")}}
    [item] = make_dataset(data, targets, hparams)
    tokens = tokenizer.encode("A CAB")
    assert item["sig"].shape == (8000,)
    assert item["tokens"].tolist() == tokens
    assert item["tokens_bos"].tolist() == [1, *tokens]
    assert item["tokens_eos"].tolist() == [*tokens, 2]
    lengths = {
        make_dataset(data, targets, hparams, train=True)[0]["sig"].numel() for _ in range(30)
    }
    assert lengths == {7620, 8000, 8422}


def test_batches_stay_within_their_length(targets, hparams):
    durations = [0.5 + index % 17 for index in range(100)]
    data = {str(index): utterance(seconds) for index, seconds in enumerate(durations)}
    hparams |= {"max_batch_length_train": 40, "max_batch_length_test": 40}
    dataset = make_dataset(data, targets, hparams)
    batches = make_batches(dataset, hparams, "train")
    epochs = []
    for epoch in (1, 2, 1):
        batches.set_epoch(epoch)
        epochs.append(list(batches))
        assert sorted(index for batch in epochs[-1] for index in batch) == list(range(100))
        assert all(len(b) * max(durations[index] for index in b) <= 40 for b in epochs[-1])
    assert epochs[0] == epochs[2] != epochs[1]
    longest = [max(durations[i] for i in batch) for batch in make_batches(dataset, hparams, "test")]
    assert longest == sorted(longest, reverse=True)


CHARACTERS = "$name ${HOME} $$ \"quoted\", comma; 'single' back\\slash\ttab ü\u2028 \U0001f600 # %s"


def write_rows(path, *rows):
    with open(path, "w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, ("ID", "duration", "wav", "spk_id", "wrd"))
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.parametrize("text", [CHARACTERS, " leading and trailing ", "two\nlines", "a\r\nb", ""])
def test_every_character_of_a_manifest_survives(text, tmp_path):
    row = {"ID": f"$id {text}", "duration": 1.5, "wav": f"/$data/{text}.flac", "spk_id": text}
    write_rows(tmp_path / "train.csv", {**row, "wrd": text})
    [(key, item)] = read_manifests([tmp_path / "train.csv"]).items()
    assert key == row.pop("ID")
    assert item == {**row, "wrd": text}


def test_an_id_in_two_validation_sets_is_refused(tmp_path):
    row = {"ID": "same", "duration": 1.0, "wav": "a", "spk_id": "b", "wrd": "c"}
    for name in ("one", "two"):
        write_rows(tmp_path / f"{name}.csv", {**row, "wrd": name})
    with pytest.raises(ValueError, match=r"'same' stands in .*one\.csv and again in .*two\.csv"):
        read_manifests([tmp_path / "one.csv", tmp_path / "two.csv"])


@pytest.mark.parametrize("train", [True, False])
def test_datasets_can_be_sent_to_other_processes(tmp_path, targets, hparams, train):
    """As they are where workers are not forked."""
    soundfile.write(tmp_path / "a.wav", torch.linspace(-0.5, 0.5, 1600).numpy(), 16000)
    data = {"a": {**utterance(0.1), "wav": str(tmp_path / "a.wav")}}
    dataset = make_dataset(data, targets, {**hparams, "speed_perturb": None}, train=train)
    copy = pickle.loads(pickle.dumps(dataset))
    assert torch.equal(copy[0]["sig"], dataset[0]["sig"])
    assert copy[0]["tokens"].tolist() == dataset[0]["tokens"].tolist()
    pickle.dumps(make_dataset(data, targets, hparams, train=train))  # with a change of speed


@pytest.mark.parametrize("damage", ["truncated", "nan", "removed"])
def test_a_recording_damaged_after_preparation(tmp_path, targets, hparams, damage):
    file = tmp_path / "a.wav"
    signal = torch.linspace(-0.5, 0.5, 1600)
    if damage == "nan":
        signal[7] = torch.nan
    soundfile.write(file, signal.numpy(), 16000, subtype="FLOAT")
    if damage == "truncated":
        file.write_bytes(file.read_bytes()[:30])
    elif damage == "removed":
        file.unlink()
    dataset = make_dataset({"a": {**utterance(0.1), "wav": str(file)}}, targets, hparams)
    with pytest.raises(ValueError, match=r"a\.wav was changed since .*/preparation\.json to prep"):
        dataset[0]
