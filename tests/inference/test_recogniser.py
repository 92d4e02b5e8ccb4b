"""Transcripts of the tiny run: as its tests write them, and the same in windows."""

from dataclasses import replace

import numpy as np
import pytest
import speechbrain as sb
import torch
from speechbrain.dataio.batch import PaddedBatch
from tone_words import choose_words, speak

from summarymixing_sb.data.targets import Tokens
from summarymixing_sb.decoding.build import METHODS
from summarymixing_sb.inference import recogniser as module
from summarymixing_sb.inference.recogniser import Recogniser
from summarymixing_sb.training.tasks.asr import ASRBrain


def spoken(number, least=2, most=6):
    """Words and their waveform."""
    words = choose_words(np.random.default_rng(100 + number), least, most)
    return words, torch.from_numpy(speak(words)).float()


def texts(transcripts):
    return [[word.word for word in words] for words in transcripts]


@pytest.fixture(scope="module")
def utterances():
    return [spoken(number) for number in range(6)]


def test_recognises_the_words(run, utterances):
    words, signals = zip(*utterances)
    assert texts(Recogniser(run).transcribe(list(signals))) == list(words)


@pytest.mark.parametrize("method", METHODS)
def test_writes_what_the_tests_of_the_run_write(method, run, utterances):
    noise = [0.2 * torch.randn(count) for count in (40_000, 31_999, 20_481)]
    signals = [*(signal for _, signal in utterances), *noise]
    tokens = {"tokens_bos": torch.tensor([1])}
    batch = PaddedBatch([{"id": "", "sig": signal, **tokens} for signal in signals])
    brain = ASRBrain(
        Tokens(run.tokenizer, "wrd"),
        modules=run.modules,
        hparams={**run.hparams, "test_decoding": method},
    )
    brain.modules.eval()
    brain.decoder = brain.get_decoder("test")
    with torch.no_grad():
        expected = brain.compute_forward(batch, sb.Stage.TEST)
    recogniser = Recogniser(run, method)
    assert texts(recogniser.transcribe(signals)) == expected["words"]
    for number, encoding in enumerate(recogniser.encode(signals)):
        frames = len(encoding.log_probs)
        assert frames == round(float(expected["lengths"][number]) * expected["ctc"].shape[1])
        assert (encoding.log_probs - expected["ctc"][number, :frames]).abs().max() < 1e-4


def test_alone_equals_batched(run, utterances):
    signals = [signal for _, signal in utterances]
    together = Recogniser(run).encode(signals)
    alone = Recogniser(run, batch_seconds=0.1).encode(signals)
    for one, other in zip(together, alone):
        assert (one.log_probs - other.log_probs).abs().max() < 1e-4
        assert (one.encoded - other.encoded).abs().max() < 1e-4


def test_times_of_words(run):
    words, signal = spoken(7, 5, 6)
    (found,) = Recogniser(run).transcribe([signal])
    assert [word.word for word in found] == words
    for number, word in enumerate(found):
        begins = 0.25 + 0.75 * number  # a pause, then tone and pause for each word
        assert begins - 0.17 < word.start < word.end < begins + 0.75 + 0.17
        assert 0.5 < word.score <= 1


def test_no_word_ends_behind_its_recording(run):
    _, signal = spoken(11)
    recogniser = Recogniser(run)
    for samples in range(14_000, 18_000, 333):  # cut within the second word
        (found,) = recogniser.transcribe([signal[:samples]])
        assert found
        assert all(0 <= word.start < word.end <= samples / 16000 for word in found)


def test_a_window_longer_than_the_recording_is_one_pass(run):
    _, signal = spoken(8, 15, 16)
    (one_pass,) = Recogniser(run, window=0).encode([signal])
    (window,) = Recogniser(run, window=60, overlap=2).encode([signal])
    assert torch.equal(one_pass.log_probs, window.log_probs)
    assert torch.equal(one_pass.encoded, window.encoded)


@pytest.mark.parametrize("samples_more", [0, 1, 639, 1279])
def test_windows_differ_from_one_pass_near_joins_alone(samples_more, run, monkeypatch):
    # without summary and position, a frame sees what its convolutions see: joins leave no trace
    monkeypatch.setattr(run.modules["Transformer"], "_encoder_positions", set())
    for layer in run.modules["Transformer"].encoder.layers:
        monkeypatch.setattr(layer.mha_layer, "forward", lambda x, *_, **__: x)
    signal = 0.1 * torch.randn(1280 * 200 + samples_more)
    (one_pass,) = Recogniser(run, window=0).encode([signal])
    # two layers with a kernel of 15 see 14 frames to each side, and the front end 2
    (windows,) = Recogniser(run, window=6.4, overlap=2.8).encode([signal])
    assert one_pass.log_probs.shape == windows.log_probs.shape
    assert (one_pass.log_probs - windows.log_probs).abs().max() < 1e-4
    (narrow,) = Recogniser(run, window=6.4, overlap=0).encode([signal])
    difference = (one_pass.log_probs - narrow.log_probs).abs().amax(-1)
    assert difference.max() > 1e-3
    near = (torch.arange(len(difference)) + 40) % 80 - 40
    assert difference[near.abs() > 18][:120].max() < 1e-4


def test_words_at_joins_are_there_once(run):
    words, signal = spoken(9, 40, 41)
    for overlap in (1, 2, 3):
        recogniser = Recogniser(run, window=5, overlap=overlap, batch_seconds=12)
        (found,) = recogniser.transcribe([signal])
        assert [word.word for word in found] == words
        starts = [word.start for word in found]
        assert starts == sorted(starts)


@pytest.mark.parametrize("method", METHODS)
def test_segments_give_the_words_of_the_whole(method, run, monkeypatch):
    words, signal = spoken(10, 12, 13)
    recogniser = Recogniser(run, method)
    (whole,) = recogniser.transcribe([signal])
    monkeypatch.setattr(module, "SEGMENT_SECONDS", 3.0)
    (encoding,) = recogniser.encode([signal])
    assert len(recogniser._cut(encoding.log_probs)) > 3
    (cut,) = recogniser.transcribe([signal])
    if method != "joint_beam":  # attention has never seen a segment that begins within a sentence
        assert [word.word for word in whole] == words
        assert [word.word for word in cut] == words
    if method == "ctc_greedy":
        assert cut == whole


def test_the_window_that_memory_asks_for(run, monkeypatch):
    asked = []

    def longest(encode, sample_rate, device):
        encode(torch.zeros(sample_rate))
        asked.append((sample_rate, device.type))
        return 10.0

    monkeypatch.setattr(module, "MEASURED_SECONDS", (1.0, 2.0))
    monkeypatch.setattr(module, "longest_pass", longest)
    recogniser = Recogniser(run, overlap=1)
    assert recogniser._plan(2 * 16000) == [(0, 26)]
    assert not asked
    assert recogniser._plan(25 * 16000) == [(0, 125), (113, 238), (188, 313)]
    recogniser._plan(26 * 16000)
    assert asked == [(16000, "cpu")]


@pytest.mark.parametrize("samples", [1, 100, 160, 1280, 1281])
def test_very_short_recordings(samples, run):
    recogniser = Recogniser(run)
    signal = 0.1 * torch.randn(samples)
    (encoding,) = recogniser.encode([signal])
    assert len(encoding.log_probs) == samples // 1280 + 1
    (beside, _) = recogniser.encode([signal, torch.randn(16000)])
    assert (encoding.log_probs - beside.log_probs).abs().max() < 1e-4
    for method in METHODS:
        assert len(Recogniser(run, method).transcribe([signal])) == 1


def test_nothing_to_transcribe(run):
    assert Recogniser(run).transcribe([]) == []


def with_hparams(run, **hparams):
    return replace(run, hparams={**run.hparams, **hparams})


def test_greedy_without_the_language_model(run, utterances):
    words, signals = zip(*utterances[:2])
    other = with_hparams(run, lm_source="nowhere")
    assert texts(Recogniser(other).transcribe(list(signals))) == list(words)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        Recogniser(other, "ctc_prefix_beam")


def test_joint_beam_needs_ctc_and_a_decoder(run):
    with pytest.raises(ValueError, match=r"ctc_weight_decode above 0"):
        Recogniser(with_hparams(run, ctc_weight_decode=0), "joint_beam")
    modules = {name: module for name, module in run.modules.items() if name != "seq_lin"}
    with pytest.raises(ValueError, match=r"no module seq_lin"):
        Recogniser(replace(run, modules=modules), "joint_beam")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_seconds": 0}, "batch_seconds must be above 0"),
        ({"overlap": -1}, "overlap must be 0 or more"),
        ({"window": 4.1, "overlap": 4}, r"longer than the overlap of 4 s .* not 4\.1 s"),
        ({"window": -3}, "window must be 0 or longer"),
        ({"decoding": "guess"}, "choose one of ctc_greedy"),
    ],
)
def test_numbers_that_cannot_work(options, message, run):
    with pytest.raises(ValueError, match=message):
        Recogniser(run, **options)
