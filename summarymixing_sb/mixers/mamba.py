"""Mamba-2 in both directions, by matrix products over blocks of frames.

Letters: B batch, T frames, C frames of a chunk, D model width, H heads, P width of a head, N width
of the state, L frames of a block.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from summarymixing_sb.mixers.base import Mixer
from summarymixing_sb.registry import register_mixer

#: Frames L whose products are computed together.
BLOCK = 64


@register_mixer("mamba")
class Mamba(Mixer):
    """Mamba-2 (arXiv 2405.21060) over past and future, in linear time and memory.

    h_t = W_o RMSNorm((y_t + y'_t) * SiLU(W_z x_t)), with y_t of a state space of the frames up to
    t, see :class:`StateSpace`, and y'_t of one of the frames from t on. With chunks, the second
    ends with its chunk, and the first knows all chunks before: it cannot forget a left context.

    Parameters
    ----------
    d_model : int
        Width D of the input and of the output.
    nhead : int
        Heads H of D / H channels, each with a decay of its own.
    dropout : float
        Not used.
    d_ffn : int, optional
        Not used.
    state_size : int
        Width N of the state of each channel.
    kernel_size : int
        Frames under the short convolution, which is causal in each direction.
    bidirectional : bool
        Whether there is a second state space, from the end on.

    Raises
    ------
    ValueError
        If the heads do not divide the width, or a number is below 1.

    Examples
    --------
    >>> Mamba(d_model=64, nhead=4, state_size=16)(torch.rand(2, 100, 64)).shape
    torch.Size([2, 100, 64])
    """

    forgets = False

    def __init__(
        self,
        d_model,
        nhead=1,
        dropout=0.0,
        d_ffn=None,
        state_size=64,
        kernel_size=4,
        bidirectional=True,
    ):
        super().__init__()
        if d_model % nhead:
            raise ValueError(f"nhead={nhead} does not divide d_model={d_model}.")
        for name, value in (("state_size", state_size), ("kernel_size", kernel_size)):
            if value < 1:
                raise ValueError(f"{name} of mamba must be 1 or more, not {value}.")
        sizes = (d_model, nhead, state_size, kernel_size)
        self.past = StateSpace(*sizes)
        self.future = StateSpace(*sizes) if bidirectional else None
        self.gate = nn.Linear(d_model, d_model, bias=False)
        self.norm = nn.RMSNorm(d_model, eps=1e-5)
        self.output = nn.Linear(d_model, d_model, bias=False)

    def reset_mixer_parameters(self):
        """Initialise the short convolutions again."""
        for part in (self.past, self.future):
            if part is not None:
                part.conv.reset_parameters()

    def forward(self, x, padding_mask=None, chunks=None, positions=None):
        """Mix frames, see :meth:`Mixer.forward`. Time and memory are linear in T."""
        if chunks is not None:
            _require_all_left_context(chunks)
        mixed, _ = self.past(x, padding_mask)
        if self.future is not None:
            mixed = mixed + self._from_the_end(x, padding_mask, chunks)
        return self._finish(x, mixed)

    def make_state(self, batch_size, chunks):
        """Start streams, see :meth:`Mixer.make_state`; with all of the left context alone."""
        _require_all_left_context(chunks)
        return self.past.make_state(batch_size)

    def step(self, x, state, padding_mask=None):
        """Mix the next chunk, see :meth:`Mixer.step`."""
        mixed, after = self.past(x, padding_mask, state)
        state.hidden, state.before = after.hidden, after.before
        if self.future is not None:
            mixed = mixed + self._from_the_end(x, padding_mask)
        return self._finish(x, mixed)

    def _from_the_end(self, x, padding_mask, chunks=None):
        """Read (B, T, D) from the end, or every chunk from its end."""
        batch, time = x.shape[:2]
        if padding_mask is None:
            padding_mask = x.new_zeros(batch, time, dtype=torch.bool)
        size = time if chunks is None else chunks.chunk_size
        missing = -time % size
        x = F.pad(x, (0, 0, 0, missing)).unflatten(1, (-1, size)).flatten(0, 1)
        padding_mask = F.pad(padding_mask, (0, missing), value=True)
        padding_mask = padding_mask.unflatten(1, (-1, size)).flatten(0, 1)
        mixed, _ = self.future(x.flip(1), padding_mask.flip(1))
        return mixed.flip(1).reshape(batch, time + missing, -1)[:, :time]

    def _finish(self, x, mixed):
        return self.output(self.norm(mixed * F.silu(self.gate(x))))


@dataclass
class StateSpaceState:
    """What a state space keeps between two chunks.

    Attributes
    ----------
    hidden : torch.Tensor
        (B, H, N, P).
    before : torch.Tensor
        (B, kernel size - 1, D + 2 N), the frames that the short convolution reaches back to.
    """

    hidden: torch.Tensor
    before: torch.Tensor

    def reorder(self, index):
        """Give row i the state of row ``index[i]``, (B,)."""
        self.hidden, self.before = self.hidden[index], self.before[index]


class StateSpace(nn.Module):
    """A state space whose decay is a scalar for each head (arXiv 2405.21060, section 6).

    With [u ; B ; C] = SiLU(conv(W x)), step s_t = softplus(w x_t + b) and decay a_t =
    exp(-s_t exp(A)) of each head:

        state_t = a_t state_{t-1} + B_t (s_t u_t)^T        y_t = state_t^T C_t + d u_t

    In a block, y is a masked product of C, B and u; from block to block, the state is carried on.

    Parameters
    ----------
    d_model, nhead, state_size, kernel_size : int
        See :class:`Mamba`.
    """

    def __init__(self, d_model, nhead, state_size, kernel_size):
        super().__init__()
        self.nhead, self.widths = nhead, [d_model, state_size, state_size]
        channels = sum(self.widths)
        self.project = nn.Linear(d_model, channels, bias=False)
        self.conv = nn.Conv1d(channels, channels, kernel_size, groups=channels)
        self.step_size = nn.Linear(d_model, nhead)
        self.log_rate = nn.Parameter(torch.empty(nhead).uniform_(1, 16).log())
        self.skip = nn.Parameter(torch.ones(nhead))
        # steps from 0.001 to 0.1, as published
        steps = torch.empty(nhead).uniform_(math.log(1e-3), math.log(1e-1)).exp()
        with torch.no_grad():
            self.step_size.bias.copy_(steps.expm1().log())

    def make_state(self, batch_size):
        """Start streams: a :class:`StateSpaceState` of zeros."""
        d_model, state_size, _ = self.widths
        hidden = (batch_size, self.nhead, state_size, d_model // self.nhead)
        before = (batch_size, self.conv.weight.size(-1) - 1, sum(self.widths))
        weight = self.project.weight
        return StateSpaceState(weight.new_zeros(hidden), weight.new_zeros(before))

    def forward(self, x, padding_mask=None, state=None):
        """Read frames in their order.

        Parameters
        ----------
        x : torch.Tensor
            (B, T, D).
        padding_mask : torch.Tensor, optional
            (B, T), True where a frame is padding, which is passed over.
        state : StateSpaceState, optional
            Of the frames before.

        Returns
        -------
        torch.Tensor, StateSpaceState
            (B, T, D), and the state behind them.
        """
        state = self.make_state(len(x)) if state is None else state
        values, keys, outputs, steps, log_decays, before = self.read(x, padding_mask, state)
        taken = values * steps.unsqueeze(-1)
        mixed, hidden = scan(taken, keys, outputs, log_decays, state.hidden.to(values.dtype))
        mixed = mixed + self.skip.unsqueeze(-1) * values
        return mixed.flatten(2).to(x.dtype), StateSpaceState(hidden, before)

    def read(self, x, padding_mask, state):
        """Compute what the recurrence takes in, in float32 at least.

        Parameters
        ----------
        x, padding_mask, state
            See :meth:`forward`.

        Returns
        -------
        tuple
            u (B, T, H, P), B and C (B, T, N), s and log a (B, T, H), and the frames that the next
            chunk's convolution needs.
        """
        if padding_mask is not None:
            x = x.masked_fill(padding_mask.unsqueeze(-1), 0)
        frames = torch.cat([state.before.to(x.dtype), self.project(x)], dim=1)
        before = frames[:, x.size(1) :].clone()
        frames = F.silu(self.conv(frames.transpose(1, 2)).transpose(1, 2))
        frames = frames.to(torch.promote_types(x.dtype, torch.float32))
        values, keys, outputs = frames.split(self.widths, dim=-1)
        values = values.unflatten(-1, (self.nhead, -1))
        steps = F.softplus(self.step_size(x).to(frames.dtype))
        if padding_mask is not None:
            steps = steps.masked_fill(padding_mask.unsqueeze(-1), 0)
        return values, keys, outputs, steps, -steps * self.log_rate.exp(), before


def scan(values, keys, outputs, log_decays, hidden):
    """Compute state_t = a_t state_{t-1} + B_t u_t^T and y_t = state_t^T C_t, a block at a time.

    Parameters
    ----------
    values : torch.Tensor
        u, (B, T, H, P).
    keys, outputs : torch.Tensor
        B and C, (B, T, N).
    log_decays : torch.Tensor
        Logarithm of a, (B, T, H), at most 0.
    hidden : torch.Tensor
        The state before, (B, H, N, P).

    Returns
    -------
    torch.Tensor, torch.Tensor
        y, (B, T, H, P), and the state behind, (B, H, N, P).
    """
    mixed = []
    parts = (x.split(BLOCK, dim=1) for x in (values, keys, outputs, log_decays))
    for u, b, c, log_a in zip(*parts):
        total = log_a.cumsum(1).transpose(1, 2)  # (B, H, L), decay from before the block
        u = u.transpose(1, 2)  # (B, H, L, P)
        between = (total.unsqueeze(-1) - total.unsqueeze(-2)).tril()
        decay = between.exp().tril()  # (B, H, L, L), from frame j to frame i
        within = (c @ b.mT).unsqueeze(1) * decay
        carried = (c.unsqueeze(1) @ hidden) * total.exp().unsqueeze(-1)  # (B, H, L, P)
        mixed.append((within @ u + carried).transpose(1, 2))
        rest = (total[..., -1:] - total).exp().unsqueeze(-1)  # to the end of the block
        hidden = hidden * total[..., -1, None, None].exp() + b.mT.unsqueeze(1) @ (rest * u)
    return torch.cat(mixed, dim=1), hidden


def _require_all_left_context(chunks):
    if chunks is not None and chunks.left_context_size is not None:
        raise ValueError(
            "mamba carries all of the past in its state, so left_context_size must be None, not "
            f"{chunks.left_context_size}: train with limited_left_context_prob 0."
        )
