"""From waveform to CTC log-probabilities, an utterance comes out the same alone and batched."""

from pathlib import Path

import pytest
import speechbrain as sb
import torch
from hyperpyyaml import load_hyperpyyaml
from speechbrain.dataio.batch import PaddedBatch

from summarymixing_sb.training.tasks.asr import ASRBrain

HPARAMS = Path(__file__).resolve().parents[2] / "hparams" / "LibriSpeech"
SIZES = {
    "d_model": 32,
    "nhead": 2,
    "num_encoder_layers": 2,
    "num_decoder_layers": 0,
    "d_ffn": 64,
    "local_hidden": [32],
    "local_out": 32,
    "summary_hidden": [32],
    "summary_out": 32,
    "output_neurons": 40,
}
SAMPLES = (48_000, 47_999, 47_841, 47_840, 31_837, 16_001, 8_000)


@pytest.mark.parametrize("mixer", ["SummaryMixing", "RelPosMHAXL", "RoPEMHA", "hypermixing"])
@pytest.mark.parametrize("file", ["conformer.yaml", "branchformer.yaml"])
def test_alone_equals_batched(file, mixer, tmp_path):
    overrides = SIZES | {
        "attention_type": mixer,
        "data_folder": ".",
        "output_folder": str(tmp_path),
    }
    if file == "branchformer.yaml":
        overrides["csgu_linear_units"] = 64
    with open(HPARAMS / file, encoding="utf-8") as stream:
        hparams = load_hyperpyyaml(stream, overrides)
    brain = ASRBrain(None, modules=hparams["modules"], hparams=hparams, run_opts={"device": "cpu"})
    brain.decoder = None
    hparams["normalize"].train()  # the statistics of a corpus, so that they are not trivial
    hparams["normalize"](torch.randn(4, 100, 80) * 3 - 5, torch.ones(4))
    brain.modules.eval()

    torch.manual_seed(0)
    signals = [0.1 * torch.randn(samples) for samples in SAMPLES]

    def log_probs(*signals):
        tokens = torch.tensor([1])
        items = [{"id": "", "sig": signal, "tokens_bos": tokens} for signal in signals]
        with torch.no_grad():
            out = brain.compute_forward(PaddedBatch(items), sb.Stage.VALID)
        frames = torch.round(out["lengths"] * out["ctc"].shape[1]).long()
        return [row[:count] for row, count in zip(out["ctc"], frames.tolist())]

    for signal, batched in zip(signals, log_probs(*signals)):
        (alone,) = log_probs(signal)
        assert alone.shape == batched.shape
        assert (alone - batched).abs().max() < 1e-5
