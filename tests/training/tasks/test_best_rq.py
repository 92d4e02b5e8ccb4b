"""BEST-RQ: what is masked, what is guessed, and what a recogniser takes of it."""

import json

import pytest
import speechbrain as sb
import torch
from speechbrain.nnet.quantisers import RandomProjectionQuantizer
from tones import make_librispeech, train

from summarymixing_sb.training.checkpoints import RandomState
from summarymixing_sb.training.tasks.best_rq import MaskFeatures, nearest_codes
from summarymixing_sb.training.tasks.masked import same_each_time

SIZES = {"train-mini": 16, "dev-mini": 4, "test-mini": 4}
SPLITS = {f"{kind}_splits": f"[{name}]" for kind, name in zip(("train", "valid", "test"), SIZES)}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_librispeech(tmp_path_factory.mktemp("tones"), SIZES)


@pytest.fixture(scope="module")
def pretrained(corpus, tmp_path_factory):
    """The Brain of a short pre-training, and its folder."""
    folder = tmp_path_factory.mktemp("pretrained")
    brain = train(
        *("LibriSpeech", "demo_best_rq.yaml", corpus, folder),
        **{"number_of_epochs": 2, "codes": 16, "fea_augment": None, **SPLITS},
    )
    return brain, folder


@pytest.mark.parametrize("count", [24, 21, 17])
def test_masked_frames_are_noise_and_their_codes_are_of_what_was_there(count):
    torch.manual_seed(0)
    quantizer, masked = RandomProjectionQuantizer(32, 4, 16), torch.tensor([0, 2])
    features = torch.randn(3, count, 4)
    before = features.clone()
    mask = MaskFeatures(quantizer, masked, 8, noise=0.1)
    hidden, _ = mask(features, None)
    assert features.equal(before)
    assert hidden.shape == features.shape
    assert hidden[:, 8:16].equal(features[:, 8:16])
    assert (hidden[:, :8] != features[:, :8]).all()
    assert hidden[:, :8].std() < 0.2
    padded = torch.nn.functional.pad(features, (0, 0, 0, -count % 8)).reshape(3, 3, 32)
    assert mask.codes.equal(quantizer(padded)[:, [0, 2]])


def test_nearest_codes_are_the_quantisers():
    torch.manual_seed(0)
    quantizer, x = RandomProjectionQuantizer(320, 16, 512), torch.randn(4, 60, 320)
    codes = quantizer(x)
    assert nearest_codes(quantizer, x).equal(codes)
    with torch.autocast("cpu", torch.bfloat16):
        assert nearest_codes(quantizer, x).equal(codes)


def test_validation_masks_the_same_frames_each_time(pretrained):
    brain, _ = pretrained
    state = RandomState.capture()
    with same_each_time(3):
        first = torch.rand(3)
    with same_each_time(3):
        assert torch.rand(3).equal(first)
    assert torch.equal(RandomState.capture()["torch"], state["torch"])
    assert RandomState.capture()["python"] == state["python"]
    assert brain.test_stats["error_rate"] <= 100


def test_masks_end_before_the_shortest_utterance(pretrained):
    brain, _ = pretrained
    signals = torch.zeros(2, 48000)
    batch = sb.dataio.batch.PaddedBatch([{"sig": signals[0]}, {"sig": signals[1, :16000]}])
    frames = 13  # of 80 ms
    for _ in range(20):
        masked = brain.draw_mask(batch)
        assert len(masked) % brain.hparams.mask_length == 0
        assert 0 <= masked.min() <= masked.max() < frames


def test_results(pretrained):
    brain, folder = pretrained
    result = json.loads((folder / "results" / "test-mini.json").read_text())
    assert result["task"] == "best_rq"
    assert result["masked_accuracy"] == pytest.approx(100 - brain.test_stats["error_rate"])
    assert result["masked_frames"] > 0
    assert "valid error_rate" in (folder / "train_log.txt").read_text()
    assert [path.name for path in (folder / "results").iterdir()] == ["test-mini.json"]


def test_a_recogniser_starts_from_it(pretrained, corpus, tmp_path):
    _, folder = pretrained
    settings = {"token_type": "char", "num_decoder_layers": 0, "number_of_epochs": 1}
    settings |= {"valid_decoding": "ctc_greedy", "test_decoding": "ctc_greedy", "lr": 1e-9}
    run = tmp_path / "run"
    brain = train(
        "LibriSpeech", "demo.yaml", corpus, run, pretrained_model=folder, **SPLITS, **settings
    )
    ours = brain.model.state_dict()
    theirs = pretrained[0].model.state_dict()
    taken = [name for name in theirs if name.startswith(("CNN.", "Transformer."))]
    assert taken
    for name in taken:
        assert torch.allclose(ours[name], theirs[name], atol=1e-4), name
    report = (run / "pretrained_model.txt").read_text()
    assert "code_lin.w.weight" in report.partition("without a place here")[2]


def test_utterances_shorter_than_a_mask_are_skipped(corpus, tmp_path):
    with pytest.raises(ValueError, match=r"16 shorter than a mask"):
        train(
            *("LibriSpeech", "demo_best_rq.yaml", corpus, tmp_path / "run"),
            **{"mask_length": 100, "fea_augment": None, **SPLITS},
        )
