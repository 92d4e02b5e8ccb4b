"""Comparison of every model with its reference before it is timed."""

import copy
from contextlib import contextmanager
from dataclasses import replace

import torch

from results.benchmark.models import MODELS, Callee, build_model, make_inputs, with_reference_mixers

TOLERANCE = 1e-4  # relative, in float32
SHORT_SECONDS, VALID = 1.5, [1.0, 0.78]


def reference_error(name, model, case):
    """Compare a model with its reference on a short batch, without dropout, in float32.

    Parameters
    ----------
    name : str
    model : Callee
        Not compiled.
    case : Case

    Returns
    -------
    reference : str
        "equations" of the paper; a model of SpeechBrain's; or "none", which is to say that nobody
        else's implementation is at hand.
    error : float
        Greatest difference of outputs, in training also of the input's gradient, relative to the
        greatest value; NaN without a reference.
    """
    reference_name = MODELS[name].reference if name in MODELS else None
    if reference_name == "SpeechBrain RoPEMHA" and case.encoder == "branchformer":
        reference_name = "RoPEMHA"  # SpeechBrain's Branchformer has none
    if reference_name is None:
        return "none", float("nan")
    short = replace(case, seconds=SHORT_SECONDS, batch_size=2)
    if reference_name == "equations":
        reference = with_reference_mixers(copy.deepcopy(model.part))
        reference = Callee(reference, False, model.position, case).to(case.device).eval()
    else:
        reference = build_model(reference_name, case)
        copy_parameters(model, reference)
    # SpeechBrain's encoders let padding into their outputs.
    padded = case.part == "mixer" or not reference.speechbrain
    inputs = make_inputs(short, VALID if padded else None)
    expected, got = (outputs(each, inputs, case.training) for each in (reference, model))
    return reference_name, relative_error(got, expected)


def compiled_error(model, compiled, case):
    """Compare a compiled model with itself, as :func:`reference_error` compares two models."""
    inputs = make_inputs(replace(case, seconds=SHORT_SECONDS, batch_size=2))
    expected, got = (outputs(each, inputs, case.training) for each in (model, compiled))
    return relative_error(got, expected)


def outputs(model, inputs, training):
    """Give the output at valid frames and, in training, the gradient of the input."""
    x, padding_mask = inputs
    x = x.clone().requires_grad_(training)
    with without_tf32(), torch.set_grad_enabled(training):
        out = model(x, padding_mask)[~padding_mask]  # (frames, D)
        if not training:
            return [out]
        out.backward(torch.linspace(-1, 1, out.numel(), device=out.device).view_as(out))
    model.zero_grad(set_to_none=True)
    return [out.detach(), x.grad]


@contextmanager
def without_tf32():
    """Compute with all bits of float32; SpeechBrain allows a GPU to use fewer."""
    allowed = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    try:
        with torch.backends.cudnn.flags(allow_tf32=False):
            yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = allowed


def relative_error(got, expected):
    """Greatest difference, relative to the greatest value.

    Examples
    --------
    >>> relative_error([torch.tensor([1.0, 6.0])], [torch.tensor([1.0, 8.0])])
    0.25
    """
    return max(
        ((a - b).abs().max() / b.abs().max().clamp(min=1e-30)).item() for a, b in zip(got, expected)
    )


def copy_parameters(source, target):
    """Give one model the parameters of another; a difference of names or shapes is an error.

    Buffers, such as SpeechBrain's tables of positions, are left alone.
    """
    ours, theirs = dict(source.named_parameters()), dict(target.named_parameters())
    if ours.keys() != theirs.keys():
        only = sorted(ours.keys() ^ theirs.keys())[:5]
        raise ValueError(f"parameters of one model alone: {', '.join(only)}")
    with torch.no_grad():
        for name, parameter in theirs.items():
            parameter.copy_(ours[name])
