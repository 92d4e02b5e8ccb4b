"""Base class of the layers of an encoder.

Letters: B batch or streams, T frames, D model width.
"""

from torch import nn

from summarymixing_sb.encoders.state import LayerState
from summarymixing_sb.mixers import NoMixer
from summarymixing_sb.registry import build_mixer


class EncoderLayer(nn.Module):
    """Base class of a layer with a mixer, and with a convolution or without.

    A subclass adds its modules and writes :meth:`encode`, for whole recordings and single chunks
    alike. Mixer and convolution have the attribute names of SpeechBrain's layers, so that its
    checkpoints load.

    Parameters
    ----------
    d_model : int
        Width of the frames.
    nhead : int
        Heads of the mixer.
    dropout : float
        Dropout probability.
    d_ffn : int or None
        Width of the feed-forward layers, for mixers that are sized by it.
    attention_type : str
        Name of the mixer, see :func:`summarymixing_sb.list_mixers`; "none" builds no mixer.
    mixer_options : dict or None
        The mixer's own options.

    Attributes
    ----------
    mixer_name : str
        Attribute that holds the :class:`summarymixing_sb.mixers.Mixer`, or None without one.
    convolution_name : str or None
        Attribute that holds the convolution, called as ``convolution(x, padding_mask, chunks)``,
        with ``make_state(batch_size)`` and ``step(x, state, padding_mask)``; None without one.
    """

    mixer_name = "mha_layer"
    convolution_name = None

    def __init__(self, d_model, nhead, dropout, d_ffn, attention_type, mixer_options):
        super().__init__()
        mixer = build_mixer(attention_type, d_model, nhead, dropout, d_ffn, **(mixer_options or {}))
        setattr(self, self.mixer_name, None if isinstance(mixer, NoMixer) else mixer)
        # another layer's mixer may need positions that this one would misread
        self._takes_positions = mixer.position == "relative"

    @property
    def mixer(self):
        """The mixer, or None."""
        return getattr(self, self.mixer_name)

    @property
    def convolution(self):
        """The convolution, or None."""
        return None if self.convolution_name is None else getattr(self, self.convolution_name)

    def encode(self, x, mix, convolve):
        """Encode frames of whole recordings or of a chunk.

        Parameters
        ----------
        x : torch.Tensor
            (B, T, D).
        mix : callable
            Applies the mixer to (B, T, D). Not to be called in a layer without a mixer.
        convolve : callable
            Applies the convolution to (B, T, D). Not to be called in a layer without one.

        Returns
        -------
        torch.Tensor
            (B, T, D).
        """
        raise NotImplementedError

    def forward(self, x, padding_mask=None, chunks=None, positions=None):
        """Encode frames, see :meth:`summarymixing_sb.encoders.Encoder.forward`."""
        positions = positions if self._takes_positions else None
        return self.encode(
            x,
            lambda x: self.mixer(x, padding_mask, chunks, positions),
            lambda x: self.convolution(x, padding_mask, chunks),
        )

    def make_state(self, batch_size, chunks):
        """Start streams, see :meth:`summarymixing_sb.mixers.Mixer.make_state`."""
        return LayerState(
            None if self.mixer is None else self.mixer.make_state(batch_size, chunks),
            None if self.convolution is None else self.convolution.make_state(batch_size),
        )

    def step(self, x, state, padding_mask=None):
        """Encode the next chunk, see :meth:`summarymixing_sb.encoders.Encoder.step`."""
        return self.encode(
            x,
            lambda x: self.mixer.step(x, state.mixer, padding_mask),
            lambda x: self.convolution.step(x, state.convolution, padding_mask),
        )
