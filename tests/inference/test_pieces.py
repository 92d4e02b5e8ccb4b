"""Decoders that give pieces: options that cannot work."""

from dataclasses import replace

import pytest
import torch

from summarymixing_sb.inference.pieces import build_piece_decoder


def with_hparams(run, **hparams):
    return replace(run, hparams={**run.hparams, **hparams})


def test_greedy_without_the_language_model(run):
    decode = build_piece_decoder("ctc_greedy", with_hparams(run, lm_source="nowhere"))
    log_probs = torch.full((1, 4, 15), -9.0)
    log_probs[0, range(4), [3, 0, 1, 5]] = 0.0  # 1 begins a sentence, and is no text
    assert decode(torch.zeros(1, 4, 48), log_probs, torch.ones(1)) == [[3, 5]]
    with pytest.raises(FileNotFoundError, match="nowhere"):
        build_piece_decoder("ctc_prefix_beam", with_hparams(run, lm_source="nowhere"))


def test_a_run_whose_hyperparameters_name_no_language_model(run):
    hparams = {key: value for key, value in run.hparams.items() if not key.startswith("lm_")}
    decode = build_piece_decoder("ctc_prefix_beam", replace(run, hparams=hparams))
    log_probs = torch.full((1, 3, 15), -9.0)
    log_probs[0, range(3), [4, 0, 4]] = 0.0
    assert decode(torch.zeros(1, 3, 48), log_probs, torch.ones(1)) == [[4, 4]]


def test_joint_beam_needs_ctc_and_a_decoder(run):
    with pytest.raises(ValueError, match=r"ctc_weight_decode above 0"):
        build_piece_decoder("joint_beam", with_hparams(run, ctc_weight_decode=0))
    modules = {name: module for name, module in run.modules.items() if name != "seq_lin"}
    with pytest.raises(ValueError, match=r"no module seq_lin"):
        build_piece_decoder("joint_beam", replace(run, modules=modules))


def test_another_vocabulary(run):
    decode = build_piece_decoder("ctc_greedy", run)
    with pytest.raises(ValueError, match=r"16 CTC outputs and the tokenizer 15"):
        decode(torch.zeros(1, 4, 48), torch.zeros(1, 4, 16), torch.ones(1))
