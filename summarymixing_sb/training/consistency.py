"""Consistency of what a model says with and without chunks (dual mode)."""


def consistency_loss(first, second, valid):
    """Compute the symmetric Kullback-Leibler divergence of two distributions, averaged.

    (KL(p || q) + KL(q || p)) / 2, in nats, as in dual-mode training of transducers (NVIDIA,
    Interspeech 2026), where p and q are the joint's outputs at every frame and prefix.

    Parameters
    ----------
    first, second : torch.Tensor
        (..., V) log-probabilities.
    valid : torch.Tensor
        (...) bool. What is averaged over.

    Returns
    -------
    torch.Tensor
        A scalar; gradients flow into both.

    Examples
    --------
    >>> import torch
    >>> p, q = torch.tensor([[0.5, 0.5]]).log(), torch.tensor([[0.9, 0.1]]).log()
    >>> round(float(consistency_loss(p, q, torch.tensor([True]))), 4)
    0.4394
    >>> float(consistency_loss(p, p, torch.tensor([True])))
    0.0
    """
    # both divergences in one sum
    divergence = ((first.exp() - second.exp()) * (first - second)).sum(-1) / 2
    return divergence.masked_fill(~valid, 0).sum() / valid.sum().clamp(min=1)
