"""Decoding chunk by chunk gives the token ids of the whole."""

import torch
from speechbrain.decoders import ctc_greedy_decode
from speechbrain.nnet.linear import Linear
from speechbrain.nnet.transducer.transducer_joint import Transducer_joint

from summarymixing_sb.decoding.streaming import StreamingCTC, StreamingTransducer
from summarymixing_sb.models.predictor import Predictor


def test_ctc_by_chunks():
    scores = torch.randint(3, (1, 400)).float()
    scores = torch.nn.functional.one_hot(scores.long(), 3).float()  # many repetitions
    expected = ctc_greedy_decode(scores, torch.ones(1), blank_id=0)[0]
    for size in (1, 4, 7, 400):
        decode, found = StreamingCTC(torch.nn.Identity(), 0), []
        for chunk in scores.split(size, dim=1):
            found += decode(chunk)
        assert found == expected


def transducer_modules():
    torch.manual_seed(1)
    return {
        "enc_lin": Linear(input_size=8, n_neurons=12),
        "predictor": Predictor(vocabulary=9, size=10).eval(),
        "pred_lin": Linear(input_size=10, n_neurons=12),
        "joint": Transducer_joint(joint="sum", nonlinearity=torch.nn.GELU),
        "transducer_lin": Linear(input_size=12, n_neurons=9),
    }


def test_transducer_by_chunks():
    modules, encoded = transducer_modules(), 2 * torch.randn(1, 60, 8)
    whole = StreamingTransducer(modules, 0)
    expected = whole.searcher.transducer_greedy_decode(modules["enc_lin"](encoded))[0][0]
    assert len(set(expected)) > 2
    for size in (1, 7, 60):
        decode, found, sizes = StreamingTransducer(modules, 0), [], set()
        for chunk in encoded.split(size, dim=1):
            found += decode(chunk)
            sizes.add(decode.context.hidden[0].numel())
        assert found == expected
        assert len(sizes) == 1
