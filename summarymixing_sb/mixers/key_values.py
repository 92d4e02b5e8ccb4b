"""State of streaming attention: keys and values of the last frames.

Letters: B streams, H heads, C frames of a chunk, W stored frames, D width of a head.
"""

import torch


class KeyValueState:
    """Keys and values of the frames before a chunk that its frames may see.

    Parameters
    ----------
    batch_size : int
        Streams B.
    heads, width : int
        Heads H, and width D of each.
    kept : int
        Frames W.
    device : torch.device

    Examples
    --------
    >>> state = KeyValueState(1, 2, 4, kept=3, device="cpu")
    >>> keys, values, hidden = state.extend(torch.rand(1, 2, 2, 4), torch.rand(1, 2, 2, 4))
    >>> keys.shape, hidden
    (torch.Size([1, 2, 5, 4]), tensor([[ True,  True,  True, False, False]]))
    """

    def __init__(self, batch_size, heads, width, kept, device):
        self.keys = torch.zeros(batch_size, heads, kept, width, device=device)
        self.values = torch.zeros(batch_size, heads, kept, width, device=device)
        self.hidden = torch.ones(batch_size, kept, dtype=torch.bool, device=device)

    def extend(self, keys, values, padding_mask=None):
        """Add those of the next chunk, and forget those that the one after it cannot see.

        Parameters
        ----------
        keys, values : torch.Tensor
            (B, H, C, D).
        padding_mask : torch.Tensor, optional
            (B, C), True where a frame is padding.

        Returns
        -------
        tuple of torch.Tensor
            Keys and values, (B, H, W + C, D); and (B, W + C), True for frames that do not exist.
        """
        if padding_mask is None:
            padding_mask = self.hidden.new_zeros(len(keys), keys.size(2))
        keys = torch.cat([self.keys.to(keys.dtype), keys], dim=2)
        values = torch.cat([self.values.to(values.dtype), values], dim=2)
        hidden = torch.cat([self.hidden, padding_mask], dim=1)
        first = keys.size(2) - self.keys.size(2)
        # copies, since a view would keep all of the frames
        self.keys, self.values = keys[:, :, first:].clone(), values[:, :, first:].clone()
        self.hidden = hidden[:, first:].clone()
        return keys, values, hidden

    def reorder(self, index):
        """Give row i the state of row ``index[i]``, (B,)."""
        self.keys, self.values = self.keys[index], self.values[index]
        self.hidden = self.hidden[index]
