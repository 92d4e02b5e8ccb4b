"""What a forward pass in training changes besides gradients, to be put back."""

import torch
from speechbrain.processing.features import InputNormalization


class Statistics:
    """Buffers of modules, such as BatchNorm's, and the statistics of SpeechBrain's normaliser.

    Parameters
    ----------
    modules : torch.nn.Module
        Their state of now is kept.

    Examples
    --------
    >>> norm = torch.nn.BatchNorm1d(2)
    >>> before = Statistics(norm)
    >>> _ = norm(torch.full((3, 2), torch.nan))
    >>> before.restore()
    >>> norm.running_mean
    tensor([0., 0.])
    """

    def __init__(self, modules):
        self._modules = modules
        self._buffers = {name: buffer.clone() for name, buffer in modules.named_buffers()}
        self._norms = [
            (module, module.count, module.glob_mean, module.glob_std)
            for module in modules.modules()
            if isinstance(module, InputNormalization)
        ]

    @torch.no_grad()
    def restore(self):
        """Put back what was kept; buffers that have grown since, as tables of positions, stay."""
        for name, buffer in self._modules.named_buffers():
            if name in self._buffers and buffer.shape == self._buffers[name].shape:
                buffer.copy_(self._buffers[name])
        for norm, count, mean, std in self._norms:
            norm.count, norm.glob_mean, norm.glob_std = count, mean, std
