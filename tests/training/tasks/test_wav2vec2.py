"""wav2vec 2.0: what is masked, what is compared, and what a recogniser takes of it."""

import json
from pathlib import Path

import pytest
import speechbrain as sb
import torch
from one_step import build_brain, small_overrides, two_utterances
from tones import make_librispeech, train

from summarymixing_sb.training.tasks.wav2vec2 import draw_negatives

FILE = Path(__file__).resolve().parents[3] / "hparams" / "LibriSpeech" / "wav2vec2.yaml"
SIZES = {"train-mini": 16, "dev-mini": 4, "test-mini": 4}
SPLITS = {f"{kind}_splits": f"[{name}]" for kind, name in zip(("train", "valid", "test"), SIZES)}


@pytest.fixture
def brain(tmp_path):
    options = {"codes": 8, "code_size": 16, "negatives": 5, "speed_perturb": None}
    brain = build_brain(FILE, small_overrides(FILE, options, tmp_path), tmp_path)
    brain.on_stage_start(sb.Stage.TRAIN, 1)
    brain.modules.train()
    return brain


def test_negatives_are_other_frames_of_the_utterance():
    targets = torch.arange(24.0).reshape(3, 8, 1)
    negatives = draw_negatives(targets, 200)
    assert negatives.shape == (200, 3, 8, 1)
    for row in range(3):
        for frame in range(8):
            drawn = {*negatives[:, row, frame, 0].tolist()}
            assert drawn == {*targets[row].flatten().tolist()} - {targets[row, frame].item()}


def test_masked_frames_are_the_vector_and_nothing_else_is(brain):
    seen = {}
    brain.modules.CNN.register_forward_hook(lambda m, a, out: seen.update(features=out))
    brain.modules.quantizer.register_forward_pre_hook(lambda m, a: seen.update(coded=a[0]))
    brain.modules.Transformer.register_forward_pre_hook(lambda m, a: seen.update(given=a[0]))
    masked = torch.tensor([1, 2, 6])
    contexts, targets, negatives, _ = brain.guess(two_utterances(brain), sb.Stage.TRAIN, masked)
    features, given = seen["features"].flatten(2), seen["given"]
    assert seen["coded"].equal(features[:, masked])
    assert given[:, masked].equal(brain.modules.mask_embedding.weight.expand(2, 3, -1))
    kept = [frame for frame in range(features.shape[1]) if frame not in masked.tolist()]
    assert given[:, kept].equal(features[:, kept])
    assert contexts.shape == targets.shape == (2, 3, 16)
    assert negatives.shape == (5, 2, 3, 16)


def test_loss_is_that_of_the_paper(brain):
    """Equation 3 of arXiv 2006.11477, frame by frame, and the weighted diversity.

    A negative that is the code itself is left out.
    """
    torch.manual_seed(0)
    contexts, targets = torch.randn(2, 4, 6), torch.randn(2, 4, 6)
    targets[0, 1] = targets[0, 0]
    negatives = draw_negatives(targets, 5)
    codebooks = {"diversity_loss": torch.tensor(0.5), "code_perplex": torch.tensor(3.0)}
    found = brain.compute_objectives((contexts, targets, negatives, codebooks), None, None)
    losses = []
    for row in range(2):
        for frame in range(4):
            context, target = contexts[row, frame].double(), targets[row, frame].double()
            others = [
                n.double() for n in negatives[:, row, frame] if not n.equal(targets[row, frame])
            ]
            scores = torch.stack(
                [torch.cosine_similarity(context, q, dim=0) / 0.1 for q in (target, *others)]
            )
            losses.append(torch.logsumexp(scores, 0) - scores[0])
    assert found.item() == pytest.approx(torch.stack(losses).mean().item() + 0.1 * 0.5, rel=1e-5)


def test_temperature_is_of_the_step(brain):
    """So a resumed run goes on with it."""
    quantiser = brain.modules.quantizer.quantiser
    brain.optimizer_step = 10000
    brain.compute_forward(two_utterances(brain), sb.Stage.TRAIN)
    assert quantiser.curr_temp == pytest.approx(2 * 0.999995**10000)
    brain.optimizer_step = 10**7
    brain.compute_forward(two_utterances(brain), sb.Stage.TRAIN)
    assert quantiser.curr_temp == 0.5


def test_a_recogniser_starts_from_it(tmp_path):
    corpus = make_librispeech(tmp_path / "LibriSpeech", SIZES)
    folder = tmp_path / "pretrained"
    brain = train(
        *("LibriSpeech", FILE.name, corpus, folder),
        **{"number_of_epochs": 2, "codes": 8, "n_warmup_steps": 4, "fea_augment": None, **SPLITS},
    )
    result = json.loads((folder / "results" / "test-mini.json").read_text())
    assert result["task"] == "wav2vec2"
    assert result["masked_frames"] > 0
    assert 0 < result["masked_accuracy"] <= 100
    assert "valid error_rate" in (folder / "train_log.txt").read_text()
    assert "valid code_perplexity" in (folder / "train_log.txt").read_text()
    settings = {"token_type": "char", "output_neurons": 16, "number_of_epochs": 1, "lr": 1e-9}
    settings |= {"pretrained_model": folder, **SPLITS}
    recogniser = train("LibriSpeech", "conformer_ctc.yaml", corpus, tmp_path / "run", **settings)
    ours, theirs = recogniser.model.state_dict(), brain.model.state_dict()
    taken = [name for name in theirs if name.startswith(("CNN.", "Transformer."))]
    assert taken
    for name in taken:
        assert torch.allclose(ours[name], theirs[name], atol=1e-4), name
