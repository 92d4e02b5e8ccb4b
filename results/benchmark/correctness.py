"""No time without the right numbers: every contestant is held against its reference first."""

import torch

from results.benchmark.contestants import (
    CONTESTANTS,
    build_contestant,
    copy_parameters,
    reference_of,
)
from results.benchmark.levels import make_inputs

TOLERANCE = 1e-4  # relative, in float32
FRAMES, SAMPLES, VALID = 37, 24000, [1.0, 0.78]


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


def outputs(model, inputs, kind):
    """Compute what two models are compared by, without dropout.

    Parameters
    ----------
    model : torch.nn.Module
        In evaluation mode.
    inputs : tuple of torch.Tensor
        From :func:`results.benchmark.levels.make_inputs`.
    kind : Kind

    Returns
    -------
    list of torch.Tensor
        The output at valid frames, (frames, D or V); of a training step also the gradient of the
        input, (B, T, D).
    """
    x, lengths = inputs
    x = x.clone().requires_grad_(kind.training)
    with torch.set_grad_enabled(kind.training):
        out = model(x, lengths)  # (B, T, .)
    out = out[_valid(out, lengths)]
    if not kind.training:
        return [out]
    weights = torch.linspace(-1, 1, out.numel(), device=out.device).view_as(out)
    out.backward(weights)
    model.zero_grad(set_to_none=True)
    return [out.detach(), x.grad]


def _valid(out, lengths):
    """Which frames of (B, T, .) are valid, by a padding mask or relative lengths."""
    if lengths.dtype == torch.bool:
        return ~lengths
    # A frame less: models count the last one differently.
    frames = (lengths * out.size(1)).floor() - 1
    return torch.arange(out.size(1), device=out.device) < frames.unsqueeze(1)


def reference_error(name, model, kind, compiled=None):
    """Compare a contestant with its reference on a short batch.

    The batch has padding, unless one of the two is an encoder or a model of SpeechBrain.

    Parameters
    ----------
    name : str
    model : torch.nn.Module
        The contestant, not compiled.
    kind : Kind
    compiled : callable, optional
        The compiled contestant: then it is compared, with the one that is not.

    Returns
    -------
    tuple
        Name of the reference (str), and the greatest relative error (float).
    """
    reference_name = "eager" if compiled is not None else reference_of(name, kind)
    both = [CONTESTANTS[one] for one in (name, reference_name) if one in CONTESTANTS]
    # SpeechBrain's encoders and front end let padding into their outputs; its mixers do not.
    padded = kind.level.startswith("mixer") or not any(one.stock for one in both)
    inputs = make_inputs(kind, 2, FRAMES, SAMPLES, VALID if padded else None)
    if compiled is not None:
        got, expected = outputs(compiled, inputs, kind), outputs(model, inputs, kind)
        return reference_name, relative_error(got, expected)
    reference = build_contestant(reference_name, kind)
    if not any(one.plain for one in both):  # a plain one has them, from the same seed
        copy_parameters(model, reference)
    expected = outputs(reference, inputs, kind)
    return reference_name, relative_error(outputs(model, inputs, kind), expected)
