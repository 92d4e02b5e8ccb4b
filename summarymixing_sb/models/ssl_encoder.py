"""Pre-trained encoders of wav2vec 2.0 and HuBERT, in which mixers replace some of the attention.

The parts fit the front end and the encoder of the recipes: :class:`Samples` are the features,
:class:`WaveformFrontEnd` the ``CNN``, :class:`SSLEncoder` the ``Transformer``. The models come from
SpeechBrain's integration of Hugging Face, ``speechbrain.integrations.huggingface``.

B batch, N samples, T frames of 20 ms, D model width.
"""

from itertools import cycle

from torch import nn

from summarymixing_sb.lengths import from_relative, padding_mask
from summarymixing_sb.registry import build_mixer, mixer_names, options_by_mixer

FRAME = 320  # samples at 16 kHz, from one frame to the next
WINDOW = 400  # samples, of a frame
#: What can be replaced, by the names of Hugging Face's classes.
ATTENTION = ("Wav2Vec2Attention", "HubertAttention")


class Samples(nn.Module):
    """Waveforms, cut into frames of 320 samples: the features of a model that learns its own.

    Parameters
    ----------
    sample_rate : int
        Hz.
    hop_length : int
        Milliseconds from one frame to the next.

    Raises
    ------
    ValueError
        If these are not 320 samples, by which the pre-trained models count.

    Examples
    --------
    >>> import torch
    >>> Samples()(torch.zeros(2, 16000)).shape
    torch.Size([2, 51, 320])
    """

    def __init__(self, sample_rate=16000, hop_length=20):
        super().__init__()
        if sample_rate * hop_length != 1000 * FRAME:
            raise ValueError(
                "a model of wav2vec 2.0 or HuBERT wants sample_rate 16000 and hop_length 20, "
                f"not {sample_rate} and {hop_length}"
            )

    def forward(self, signals):
        """Cut (B, N) into (B, N // 320 + 1, 320), with zeros at the end."""
        padded = nn.functional.pad(signals, (0, FRAME - signals.shape[1] % FRAME))
        return padded.unflatten(1, (-1, FRAME))


class AsItIs(nn.Module):
    """A normaliser that leaves features as they are."""

    def forward(self, features, lengths=None, epoch=None):
        """Give back the features."""
        return features


class WaveformFrontEnd(nn.Module):
    """The convolutions of a pre-trained model.

    Parameters
    ----------
    ssl : speechbrain.integrations.huggingface.wav2vec2.Wav2Vec2
        Or a class with its ``model`` and ``normalize_wav``.
    """

    def __init__(self, ssl):
        super().__init__()
        self.convolutions = ssl.model.feature_extractor
        self.normalize = ssl.normalize_wav

    def forward(self, features, frames=None):
        """From :class:`Samples` to the frames of the model.

        Parameters
        ----------
        features : torch.Tensor
            (B, T, 320).
        frames : torch.Tensor, optional
            (B,) valid ones; all if None. By them each waveform is normalised, if the model wants
            it. Models whose first convolution has a GroupNorm (wav2vec 2.0 base) depend on the
            padding of the batch all the same, as they do at Hugging Face.

        Returns
        -------
        torch.Tensor
            (B, T, channels).
        """
        signals = features.flatten(1)  # (B, N)
        if self.normalize:
            signals = _normalized(signals, frames)
        # as many frames come out as went in
        signals = nn.functional.pad(signals, (0, WINDOW - FRAME))
        return self.convolutions(signals).transpose(1, 2)

    def subsampled(self, frames):
        """Count the frames that come out: as many as go in."""
        return frames


class SSLEncoder(nn.Module):
    """The Transformer of a pre-trained model, attention of some layers replaced by mixers.

    Windowed SummaryMixing in this place is of arXiv 2602.09043.

    Parameters
    ----------
    ssl : speechbrain.integrations.huggingface.wav2vec2.Wav2Vec2
        Of wav2vec 2.0 or HuBERT. Its layer drop is turned off.
    replaced_layers : list of int or str
        Layers, from 0 on, negative ones counted from the last; or "all".
    attention_type : str or list of str
        Mixers that take turns over the replaced layers, see
        :func:`summarymixing_sb.registry.mixer_names`.
    nhead : int
        Heads of the mixer.
    dropout : float
        Of the mixer.
    mixer_options : dict, optional
        See :func:`summarymixing_sb.registry.options_by_mixer`.

    Attributes
    ----------
    mixers : torch.nn.ModuleList
        The new parts, by which they may be trained alone.

    Raises
    ------
    ValueError
        If there is no such layer or mixer, a mixer needs relative positions, or the model is of
        another kind.
    """

    def __init__(
        self,
        ssl,
        replaced_layers="all",
        attention_type="SummaryMixing",
        nhead=1,
        dropout=0.0,
        mixer_options=None,
    ):
        super().__init__()
        model = ssl.model
        model.config.layerdrop = 0.0
        self.projection, self.encoder = model.feature_projection, model.encoder
        layers = self.encoder.layers
        chosen = _layers(replaced_layers, len(layers))
        names = mixer_names(attention_type)
        options = options_by_mixer(names, mixer_options)
        width = model.config.hidden_size
        self.mixers = nn.ModuleList(
            build_mixer(name, width, nhead, dropout, **options.get(name, {}))
            for name, _ in zip(cycle(names), chosen)
        )
        if any(mixer.position == "relative" for mixer in self.mixers):
            raise ValueError(
                f"attention_type: {', '.join(names)} needs relative positions, which the "
                "pre-trained model does not have"
            )
        self.padding = PaddingMask(whole=len(chosen) == len(layers))
        self.encoder.register_forward_pre_hook(self.padding.take, with_kwargs=True)
        for index, own in zip(chosen, self.mixers):
            if type(layers[index].attention).__name__ not in ATTENTION:
                raise ValueError(
                    f"the attention of {type(model).__name__} cannot be replaced: it must be a "
                    "model of wav2vec 2.0 or HuBERT"
                )
            layers[index].attention = MixerAttention(own, self.padding)

    def forward(self, src, tgt=None, wav_len=None, pad_idx=0, dynchunktrain_config=None):
        """Encode, with the arguments of :class:`summarymixing_sb.TransformerASR`.

        Parameters
        ----------
        src : torch.Tensor
            (B, T, channels) of :class:`WaveformFrontEnd`.
        tgt : None
            There is no decoder.
        wav_len : torch.Tensor, optional
            (B,) lengths relative to T.
        pad_idx : int
            Not used.
        dynchunktrain_config : None
            These models do not stream.

        Returns
        -------
        encoded : torch.Tensor
            (B, T, D).
        attention : list
            Empty.
        """
        if tgt is not None or dynchunktrain_config is not None:
            raise ValueError("a pre-trained encoder has no decoder, and no chunks")
        return self.encode(src, wav_len), []

    def encode(self, src, wav_len=None, pad_idx=0, dynchunktrain_config=None):
        """Encode (B, T, channels) to (B, T, D), see :meth:`forward`."""
        valid = None
        if wav_len is not None:
            valid = ~padding_mask(from_relative(wav_len, src.shape[1]), src.shape[1])
        hidden = self.projection(src)
        if isinstance(hidden, tuple):  # wav2vec 2.0 also gives what its quantiser takes
            hidden = hidden[0]
        return self.encoder(hidden, attention_mask=valid).last_hidden_state


class PaddingMask:
    """The padding of the batch of now, for the mixers in the layers of an encoder.

    Hugging Face gives layers a mask of all pairs of frames. Where no attention is left it is not
    made, and the encoder is linear in time and memory.

    Parameters
    ----------
    whole : bool
        Whether no attention is left.
    """

    def __init__(self, whole):
        self.whole, self.now = whole, None

    def take(self, encoder, arguments, options):
        """Keep the mask; a hook before the encoder's forward."""
        valid = options.get("attention_mask")
        self.now = None if valid is None else ~valid.bool()
        if self.whole and valid is not None:
            # what the encoder does with a mask before it makes that of pairs
            hidden = arguments[0].masked_fill(self.now[..., None], 0.0)
            return (hidden, *arguments[1:]), {**options, "attention_mask": None}
        return None


class MixerAttention(nn.Module):
    """A mixer in the place of Hugging Face's attention.

    Parameters
    ----------
    mixer : Mixer
        Not registered here: it is trained as a part of the encoder's `mixers`.
    padding : PaddingMask
    """

    def __init__(self, mixer, padding):
        super().__init__()
        self._mixer, self._padding = (mixer,), padding

    def forward(self, hidden_states, **options):
        """Mix (B, T, D); there are no weights of attention."""
        return self._mixer[0](hidden_states, self._padding.now), None


def _layers(chosen, count):
    """Turn "all" or a list into indices from 0 on."""
    if chosen == "all":
        return list(range(count))
    indices = sorted({index % count for index in chosen if -count <= index < count})
    if len(indices) != len(chosen):
        raise ValueError(
            f"replaced_layers: give all, or different layers from 0 to {count - 1}, not {chosen}"
        )
    return indices


def _normalized(signals, frames):
    """Give each waveform mean 0 and variance 1 over its valid frames."""
    if frames is None:
        return nn.functional.layer_norm(signals, signals.shape[1:])
    valid = ~padding_mask(frames * FRAME, signals.shape[1])
    count = valid.sum(1, keepdim=True)
    mean = (signals * valid).sum(1, keepdim=True) / count
    centred = (signals - mean) * valid
    variance = centred.square().sum(1, keepdim=True) / count
    return centred / (variance + 1e-5).sqrt()
