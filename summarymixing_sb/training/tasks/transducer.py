"""Speech recognition by a transducer, trained to stream with chunks of any size."""

import speechbrain as sb
import torch
import torch.nn.functional as F
from torchaudio.functional import rnnt_loss

from summarymixing_sb.decoding.streaming import StreamingTransducer
from summarymixing_sb.decoding.transducer import METHODS, build_transducer_decoder
from summarymixing_sb.lengths import from_relative, padding_mask, to_relative
from summarymixing_sb.training.consistency import consistency_loss
from summarymixing_sb.training.tasks.asr import ASRBrain

SCALES = ("mean", "speechbrain")


class TransducerBrain(ASRBrain):
    """Train and test the streaming transducer of arXiv 2409.07165.

    The loss is that of the transducer; in the first epochs, CTC has a share.

    B batch, T frames after the front end, D model width, U tokens, J width of the joint, V
    vocabulary.

    Besides those of the CTC model, the modules have ``predictor``, ``enc_lin`` and ``pred_lin``
    (from encoder and predictor to J), ``joint`` and ``transducer_lin`` (from J to V).
    """

    methods = METHODS
    build_decoder = staticmethod(build_transducer_decoder)

    @classmethod
    def check_settings(cls, settings):
        """Refuse what :class:`ASRBrain` does, and an attention decoder."""
        super().check_settings(settings)
        if settings["num_decoder_layers"]:
            raise ValueError(
                "num_decoder_layers must be 0: a transducer has no attention decoder, "
                f"not {settings['num_decoder_layers']} layers of one"
            )

    def predict(self, batch, stage, features, frames, chunks):
        """From features to scores and, where the stage decodes, words.

        Returns
        -------
        dict
            ``logits`` (B, T, U + 1, V), ``ctc`` log-probabilities (B, T, V), ``lengths`` (B,)
            relative to T, ``words`` (list of list of str) or None.
        """
        modules = self.stage_modules(stage)
        lengths = to_relative(frames, features.shape[1])
        encoded, _ = modules["Transformer"](features, None, lengths, dynchunktrain_config=chunks)
        # the loss wants no frame behind the longest utterance, and the joint no work on it
        encoded = encoded[:, : int(frames.max())]  # (B, T, D)
        lengths = to_relative(frames, encoded.shape[1])
        # the head takes part when its loss does not: DistributedDataParallel expects every gradient
        ctc = modules["ctc_lin"](encoded).float().log_softmax(-1)  # (B, T, V)
        words = None
        if stage != sb.Stage.TRAIN and self.decoder is not None:
            words = self.words(self.decoder(encoded, ctc, frames))
        logits = self.join(modules, encoded, batch.tokens.data)
        return {"logits": logits, "ctc": ctc, "lengths": lengths, "words": words}

    def streaming_decoder(self, modules):
        """Start to decode a stream."""
        return StreamingTransducer(modules, self.hparams.blank_index)

    def join(self, modules, encoded, tokens):
        """Score every piece after every prefix of the tokens, at every frame."""
        start = F.pad(tokens, (1, 0), value=self.hparams.blank_index)  # (B, U + 1)
        predicted, _ = modules["predictor"](start)
        joined = modules["joint"](
            modules["enc_lin"](encoded).unsqueeze(2), modules["pred_lin"](predicted).unsqueeze(1)
        )  # (B, T, U + 1, J)
        return modules["transducer_lin"](joined).float()  # (B, T, U + 1, V)

    def inconsistency(self, predictions, batch):
        """Compare the joint with and without chunks, after every prefix at every valid frame."""
        first, second = (
            outputs["logits"].log_softmax(-1) for outputs in (predictions, predictions["whole"])
        )  # (B, T, U + 1, V)
        frames = from_relative(predictions["lengths"], first.shape[1])
        tokens, token_lengths = batch.tokens
        prefixes = from_relative(token_lengths, tokens.shape[1]) + 1
        valid = ~padding_mask(frames, first.shape[1])[:, :, None]
        valid = valid & ~padding_mask(prefixes, first.shape[2])[:, None]
        return consistency_loss(first, second, valid)

    def loss(self, predictions, batch, stage):
        """Compute the loss, per utterance; in training with the share of CTC."""
        tokens, token_lengths = batch.tokens
        loss = transducer_loss(
            predictions["logits"],
            tokens,
            predictions["lengths"],
            token_lengths,
            self.hparams.blank_index,
            # the key is new in 0.2
            getattr(self.hparams, "transducer_scale", "mean"),
        )
        if stage == sb.Stage.TRAIN:
            ctc = self.hparams.ctc_cost(
                predictions["ctc"], tokens, predictions["lengths"], token_lengths
            )
            with_ctc = self.hparams.epoch_counter.current <= self.hparams.ctc_epochs
            weight = self.hparams.ctc_weight if with_ctc else 0.0
            loss = weight * ctc + (1 - weight) * loss
        return loss

    def decoding(self):
        """Describe the decoding of test sets; there is no language model."""
        method = self.hparams.test_decoding
        beam = self.hparams.test_beam_size if method == "transducer_beam" else None
        unused = dict.fromkeys(("ctc_weight", "lm_source", "lm_weight"))
        return {"method": method, "beam": beam, **unused}


def transducer_loss(logits, tokens, lengths, token_lengths, blank_index, scale="mean"):
    """Minus the log-probability of the tokens, summed over all alignments (arXiv 1211.3711).

    SpeechBrain's own loss needs numba and a GPU; this is torchaudio's, which has both devices.

    Parameters
    ----------
    logits : torch.Tensor
        (B, T, U + 1, V), float32.
    tokens : torch.Tensor
        (B, U).
    lengths, token_lengths : torch.Tensor
        (B,) relative to T and to U.
    blank_index : int
    scale : str
        "mean": the mean over utterances. "speechbrain": value and gradient are those of
        SpeechBrain's loss, by which the published transducer was trained: the value is the mean
        over utterances of the loss a frame, the gradient that of the sum over utterances. Beside
        a share of CTC, the transducer then weighs B times more than with "mean".

    Returns
    -------
    torch.Tensor
        A scalar.

    Raises
    ------
    ValueError
        If the scale is unknown.

    Examples
    --------
    >>> import torch
    >>> logits = torch.zeros(1, 2, 2, 4)  # 2 frames, 1 token: 2 alignments of 3 steps
    >>> one = torch.ones(1)
    >>> probability = torch.exp(-transducer_loss(logits, torch.tensor([[3]]), one, one, 0))
    >>> round(float(probability), 5), 2 / 4**3
    (0.03125, 0.03125)
    """
    _check_scale(scale)
    frames = from_relative(lengths, logits.shape[1]).int()
    counts = from_relative(token_lengths, tokens.shape[1]).int()
    losses = _rnnt_losses(logits, tokens, frames, counts, blank_index)
    if scale == "mean":
        return losses.mean()
    total = losses.sum()
    return total + ((losses / frames).mean() - total).detach()


def _rnnt_losses(logits, tokens, frames, counts, blank_index):
    """Give the loss of each utterance (B,).

    On CPUs, torchaudio works through all V scores one by one, which takes several times longer: it
    is given the two that count, blank's and the next token's.
    """
    fused = logits.is_cuda
    if not fused:
        following = F.pad(tokens, (0, 1)).unsqueeze(1).expand(logits.shape[:3])  # (B, T, U + 1)
        both = torch.stack((torch.full_like(following, blank_index), following), dim=-1)
        logits = logits.gather(-1, both) - logits.logsumexp(-1, keepdim=True)
        tokens, blank_index = torch.ones_like(tokens), 0
    options = {"blank": blank_index, "reduction": "none", "fused_log_softmax": fused}
    return rnnt_loss(logits, tokens.int(), frames, counts, **options)


def _check_scale(scale):
    if scale not in SCALES:
        raise ValueError(f"transducer_scale: choose {' or '.join(SCALES)}, not {scale!r}")
