"""What the ``hyperparams.yaml`` of an exported model builds, for SpeechBrain's own interfaces.

``EncoderDecoderASR``, ``EncoderASR`` and ``StreamingASR`` tell their modules relative lengths of
waveforms alone, which say nothing exact about frames. So here the encoder's frames behind the end
of an utterance are zeros, by which a decoder knows where it ends.

Letters: B batch, N samples, T frames, D model width, V vocabulary.
"""

from functools import cached_property
from types import SimpleNamespace

import torch
from speechbrain.inference.interfaces import Pretrained
from torch import nn

from summarymixing_sb.decoding.build import build_decoder
from summarymixing_sb.decoding.searchers import CTCGreedy
from summarymixing_sb.decoding.transducer import build_transducer_decoder, make_searcher
from summarymixing_sb.inference.streaming_features import StreamingFeatures
from summarymixing_sb.lengths import from_relative, padding_mask
from summarymixing_sb.models.encode import encode
from summarymixing_sb.models.front_end import FrontEnd
from summarymixing_sb.pooling import utterance_mean


class Encoder(nn.Module):
    """From waveforms to the encoder's frames.

    Parameters
    ----------
    compute_features : torch.nn.Module
    parts : dict of str to torch.nn.Module
        ``normalize``, ``CNN`` and ``Transformer``.
    hop : int
        Samples from one feature frame to the next.
    """

    def __init__(self, compute_features, parts, hop):
        super().__init__()
        self.front_end = FrontEnd(compute_features, parts["normalize"], parts["CNN"], hop)
        self.transformer = parts["Transformer"]

    def to(self, *arguments, **options):
        """Move to a device; SpeechBrain's normaliser has a `to` of its own, which others skip."""
        super().to(*arguments, **options)
        self.front_end.normalize.to(*arguments, **options)
        return self

    def forward(self, wavs, wav_lens):
        """Encode waveforms.

        Parameters
        ----------
        wavs : torch.Tensor
            (B, N).
        wav_lens : torch.Tensor
            (B,) relative to N.

        Returns
        -------
        torch.Tensor
            (B, T, D), zeros behind the end of an utterance.
        """
        encoded, frames = encode(
            self.front_end, self.transformer, wavs, from_relative(wav_lens, wavs.size(1))
        )
        return encoded.masked_fill(padding_mask(frames, encoded.size(1))[..., None], 0.0)


def valid_frames(encoded):
    """Count the frames before the zeros of :class:`Encoder`: (B,)."""
    return encoded.any(-1).sum(-1)


class Decoder(nn.Module):
    """The decoding of the run's tests.

    Parameters
    ----------
    settings : dict
        ``test_decoding`` and what it needs, see the decoders of
        :mod:`summarymixing_sb.decoding`.
    parts : dict of str to torch.nn.Module
    tokenizer : sentencepiece.SentencePieceProcessor
        May be loaded later.
    lm : torch.nn.Module, optional
        The language model, whose parameters may be loaded later.
    """

    def __init__(self, settings, parts, tokenizer, lm=None):
        super().__init__()
        self.settings, self.tokenizer, self.lm = settings, tokenizer, lm
        self.parts = nn.ModuleDict(parts)

    @cached_property
    def decoder(self):
        """The decoder, once the tokenizer is there."""
        method, settings = self.settings["test_decoding"], SimpleNamespace(**self.settings)
        if "transducer_lin" in self.parts:
            return build_transducer_decoder(method, settings, self.parts, self.tokenizer)
        return build_decoder(method, settings, self.parts, self.tokenizer, lm=self.lm)

    @torch.no_grad()
    def forward(self, encoded, wav_lens):
        """Decode.

        Parameters
        ----------
        encoded : torch.Tensor
            (B, T, D), of :class:`Encoder`.
        wav_lens : torch.Tensor
            Not used; SpeechBrain's signature.

        Returns
        -------
        tuple
            Token ids of each utterance, and three times None, where SpeechBrain's searchers give
            what its interfaces do not use.
        """
        log_probs = self.parts["ctc_lin"](encoded).float().log_softmax(-1)
        return self.decoder(encoded, log_probs, valid_frames(encoded)), None, None, None


@torch.no_grad()
def decode_ctc(encoded, wav_lens, ctc_lin, tokenizer, blank_index):
    """Decode by CTC, the best piece of each frame; the ``decoding_function`` of EncoderASR.

    Parameters
    ----------
    encoded : torch.Tensor
        (B, T, D), of :class:`Encoder`.
    wav_lens : torch.Tensor
        Not used; SpeechBrain's signature.
    ctc_lin : torch.nn.Module
    tokenizer : sentencepiece.SentencePieceProcessor
    blank_index : int

    Returns
    -------
    list of list of int
        Token ids of each utterance.
    """
    log_probs = ctc_lin(encoded).float().log_softmax(-1)
    return CTCGreedy(tokenizer, blank_index)(encoded, log_probs, valid_frames(encoded))


class StreamingFrontEnd:
    """The front end of SpeechBrain's ``StreamingASR``: from chunks of samples to those of frames.

    Frames need samples behind them, so the first chunk gives none, and the text comes a chunk later
    than the sound: feed a chunk of silence at the end.

    Parameters
    ----------
    encoder : Encoder
    """

    def __init__(self, encoder):
        self.features = StreamingFeatures(encoder.front_end)
        stride = self.features.properties.stride
        # StreamingASR takes one sample less than the stride for each frame
        self.properties = SimpleNamespace(stride=stride + 1)

    def make_streaming_context(self):
        """Start streams."""
        context = self.features.make_streaming_context()
        return SimpleNamespace(features=context, waiting=None)

    def __call__(self, chunk, context, lengths=None):
        """Take in samples (B, N) of a chunk; give as many frames as it stands for, or none."""
        new = self.features(chunk, context.features)
        if new.size(1):
            before = [] if context.waiting is None else [context.waiting]
            context.waiting = torch.cat([*before, new], dim=1)
        wanted = chunk.size(1) // (self.properties.stride - 1)
        if context.waiting is None or context.waiting.size(1) < wanted:
            return new[:, :0]
        ready, context.waiting = context.waiting.split(
            [wanted, context.waiting.size(1) - wanted], 1
        )
        return ready


class StreamingEncoder(nn.Module):
    """The encoder of SpeechBrain's ``StreamingASR``.

    Parameters
    ----------
    encoder : Encoder
    """

    def __init__(self, encoder):
        super().__init__()
        self.encoder = encoder

    def make_streaming_context(self, dynchunktrain_config):
        """Start streams, see :meth:`summarymixing_sb.TransformerASR.make_streaming_context`."""
        return self.encoder.transformer.make_streaming_context(dynchunktrain_config)

    def forward_streaming(self, frames, context):
        """Encode a chunk, (B, C, F, channels) to (B, C, D); none where there are no frames."""
        if frames.size(1) == 0:
            width = self.encoder.transformer.custom_src_module.layers[0].w.out_features
            return frames.new_zeros(frames.size(0), 0, width)
        return self.encoder.transformer.encode_streaming(frames, context)


class StreamingDecoder:
    """The greedy transducer decoding of SpeechBrain's ``StreamingASR``.

    Parameters
    ----------
    parts : dict of str to torch.nn.Module
    blank_index : int
    """

    def __init__(self, parts, blank_index):
        self.searcher = make_searcher(parts, blank_index)

    def __call__(self, projected, context):
        """Decode a chunk that went through ``enc_lin``: token ids of each stream."""
        if projected.size(1) == 0:
            return [[] for _ in projected]
        return self.searcher.transducer_greedy_decode_streaming(projected, context)


def detokenize(tokenizer, ids, context):
    """Write the token ids of a chunk; `context` is a StreamingDetokenizer."""
    return context(ids)


class UtteranceClassifier(Pretrained):
    """A trained classifier of utterances, loaded as SpeechBrain's interfaces are.

    ``foreign_class(source=FOLDER, pymodule_file="custom_interface.py",
    classname="UtteranceClassifier")`` gives one.
    """

    HPARAMS_NEEDED = ("labels",)
    MODULES_NEEDED = ("encoder", "classifier")

    @torch.no_grad()
    def classify_batch(self, wavs, wav_lens=None):
        """Classify waveforms.

        Parameters
        ----------
        wavs : torch.Tensor
            (B, N) at the model's rate.
        wav_lens : torch.Tensor, optional
            (B,) relative to N.

        Returns
        -------
        probabilities : torch.Tensor
            (B, labels).
        labels : list of str
            The most probable ones.
        """
        wavs = wavs.float().to(self.device)
        lengths = torch.ones(len(wavs)) if wav_lens is None else wav_lens
        encoded = self.mods.encoder(wavs, lengths.to(self.device))
        mask = padding_mask(valid_frames(encoded), encoded.size(1))
        scores = self.mods.classifier(utterance_mean(encoded, mask).squeeze(1)).float()
        best = scores.argmax(-1).tolist()
        return scores.softmax(-1), [self.hparams.labels[index] for index in best]

    def classify_file(self, path):
        """Classify a recording: (probabilities (1, labels), [label])."""
        return self.classify_batch(self.load_audio(path).unsqueeze(0))


#: The name in the custom_interface.py of models exported by versions before 0.2.
IntentClassifier = UtteranceClassifier
