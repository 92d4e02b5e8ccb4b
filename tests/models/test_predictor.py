"""The predictor: one token at a time, or all at once."""

import torch

from summarymixing_sb.models.predictor import Predictor


def test_goes_on_from_its_state():
    predictor = Predictor(vocabulary=11, size=6, num_layers=2).double()
    tokens = torch.randint(11, (3, 7))
    whole, last = predictor(tokens)
    state, steps = None, []
    for step in tokens.split(1, dim=1):
        out, state = predictor(step, state)
        steps.append(out)
    torch.testing.assert_close(torch.cat(steps, dim=1), whole)
    torch.testing.assert_close(state, last)


def test_autocast_leaves_it_in_float32():
    """Not every processor has an LSTM in half precision."""
    predictor, tokens = Predictor(vocabulary=11, size=6), torch.randint(11, (3, 7))
    expected, _ = predictor(tokens)
    with torch.autocast("cpu", torch.bfloat16):
        got, _ = predictor(tokens)
    assert torch.equal(got, expected)
