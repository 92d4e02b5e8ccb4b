"""Speech recognition by a transducer, trained to stream with chunks of any size."""

from pathlib import Path

import speechbrain as sb
import torch.nn.functional as F
from torchaudio.functional import rnnt_loss

from summarymixing_sb.decoding.transducer import METHODS, build_transducer_decoder
from summarymixing_sb.lengths import from_relative, subsampling_factor, to_relative
from summarymixing_sb.registry import mixer_class, mixer_names
from summarymixing_sb.training.streaming_eval import read_chunk_tests, write_streaming_table
from summarymixing_sb.training.tasks.asr import ASRBrain

SCALES = ("mean", "speechbrain")


class TransducerBrain(ASRBrain):
    """Train and test the streaming transducer of arXiv 2409.07165.

    Each training batch draws the chunks that the encoder sees (dynamic chunk training), so that one
    model serves every chunk size and left context. The loss is that of the transducer; in the first
    epochs, CTC has a share.

    B batch, T frames after the front end, D model width, U tokens, J width of the joint, V
    vocabulary.

    Besides those of the CTC model, the modules have ``predictor``, ``enc_lin`` and ``pred_lin``
    (from encoder and predictor to J), ``joint`` and ``transducer_lin`` (from J to V). Of the
    hyperparameters, ``dynchunktrain_config_sampler`` is SpeechBrain's
    ``DynChunkTrainConfigRandomSampler``; validation has the whole utterance.
    """

    methods = METHODS
    build_decoder = staticmethod(build_transducer_decoder)

    def __init__(self, targets, **kwargs):
        super().__init__(targets, **kwargs)
        self.test_conditions = read_chunk_tests(self.hparams.test_chunks)
        self.test_condition = self.test_conditions[0]
        self.tested = []

    @classmethod
    def check_settings(cls, settings):
        """Refuse chunks that cannot be, and parts that a transducer does not have."""
        super().check_settings(settings)
        _check_mixers(settings)
        if settings["num_decoder_layers"]:
            raise ValueError(
                "num_decoder_layers must be 0: a transducer has no attention decoder, "
                f"not {settings['num_decoder_layers']} layers of one"
            )
        for name, least in (("chunk_size", 1), ("left_context_chunks", 0)):
            low, high = settings[f"{name}_min"], settings[f"{name}_max"]
            if not least <= low <= high:
                raise ValueError(
                    f"{name}_min and {name}_max: give two counts, at least {least}, of which the "
                    f"first is not the larger, not {low} and {high}"
                )

    def compute_forward(self, batch, stage):
        """From waveforms to scores and, where the stage decodes, words.

        Returns
        -------
        dict
            ``logits`` (B, T, U + 1, V), ``ctc`` log-probabilities (B, T, V), ``lengths`` (B,)
            relative to T, ``words`` (list of list of str) or None.
        """
        batch = batch.to(self.device)
        modules = self.stage_modules(stage)
        features, frames = self.front_end(batch, stage)
        lengths = to_relative(frames, features.shape[1])
        encoded, _ = modules["Transformer"](
            features, None, lengths, dynchunktrain_config=self.chunks(stage)
        )
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

    def chunks(self, stage):
        """Draw the chunks of a training batch; None for none."""
        if stage == sb.Stage.TEST:
            return self.test_condition.config
        return self.hparams.dynchunktrain_config_sampler(stage)

    def join(self, modules, encoded, tokens):
        """Score every piece after every prefix of the tokens, at every frame."""
        start = F.pad(tokens, (1, 0), value=self.hparams.blank_index)  # (B, U + 1)
        predicted, _ = modules["predictor"](start)
        joined = modules["joint"](
            modules["enc_lin"](encoded).unsqueeze(2), modules["pred_lin"](predicted).unsqueeze(1)
        )  # (B, T, U + 1, J)
        return modules["transducer_lin"](joined).float()  # (B, T, U + 1, V)

    def compute_objectives(self, predictions, batch, stage):
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
        self.keep_words(batch, predictions["words"])
        return loss

    def test_name(self, split):
        """Name a test after its chunks, too."""
        return f"{split}.{self.test_condition.name}"

    def write_results(self, folder, split, info):
        """Write scores, hypotheses and alignments, with the chunks of the test."""
        chunks = self.test_condition.info(self.frame_ms())
        file, summary = super().write_results(folder, self.test_name(split), {**info, **chunks})
        self.tested.append((split, file))
        return file, summary

    def compare_tests(self, folder):
        """Write and print the table over chunk sizes and left contexts."""
        if self.tested:
            print(write_streaming_table(Path(folder) / "streaming.csv", self.tested))

    def frame_ms(self):
        """Milliseconds from one frame of the encoder to the next."""
        return subsampling_factor(self.unwrapped_modules["CNN"]) * self.hparams.hop_length

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
    losses = rnnt_loss(logits, tokens.int(), frames, counts, blank=blank_index, reduction="none")
    if scale == "mean":
        return losses.mean()
    total = losses.sum()
    return total + ((losses / frames).mean() - total).detach()


def _check_mixers(settings):
    """Refuse chunks that a mixer cannot be limited to."""
    tests = [test for test in read_chunk_tests(settings["test_chunks"]) if test.chunk_size]
    training = settings["chunkwise_prob"] > 0
    limited = training and settings["limited_left_context_prob"] > 0
    limited |= any(test.left_context_chunks is not None for test in tests)
    for name in mixer_names(settings["attention_type"]):
        mixer = mixer_class(name)
        if not mixer.supports_chunks and (training or tests):
            raise ValueError(
                f"attention_type: {name} sees the whole utterance: give chunkwise_prob 0 and "
                "test_chunks [null], or another mixer"
            )
        if not mixer.forgets and limited:
            raise ValueError(
                f"attention_type: {name} remembers all chunks: give limited_left_context_prob 0 "
                "and test_chunks without left contexts, as [null, [8, null]], or another mixer"
            )


def _check_scale(scale):
    if scale not in SCALES:
        raise ValueError(f"transducer_scale: choose {' or '.join(SCALES)}, not {scale!r}")
