"""Speech recognition: CTC alone, or CTC with an attention decoder."""

import speechbrain as sb
import torch
from speechbrain.utils.Accuracy import AccuracyStats

from summarymixing_sb.data.targets import Tokens
from summarymixing_sb.decoding.build import METHODS, build_decoder
from summarymixing_sb.evaluation import score, write_test_results
from summarymixing_sb.evaluation.normalizers import make_normalizer
from summarymixing_sb.evaluation.scoring import units_of
from summarymixing_sb.lengths import from_relative, padding_mask, to_relative
from summarymixing_sb.training.consistency import consistency_loss
from summarymixing_sb.training.streaming_brain import StreamingBrain


class ASRBrain(StreamingBrain):
    """Train and test a speech recogniser.

    B batch, T frames after the front end, V vocabulary, L tokens.

    Of the hyperparameters, ``num_decoder_layers`` says whether there is a decoder; then the modules
    have ``seq_lin`` besides ``ctc_lin``. The targets are
    :class:`summarymixing_sb.data.targets.Tokens`.
    """

    error_keys = ("WER", "CER")
    #: Column of the manifests that holds what is written.
    column = "wrd"
    #: The ways of decoding, and what builds them.
    methods = METHODS
    build_decoder = staticmethod(build_decoder)

    def __init__(self, targets, **kwargs):
        super().__init__(targets, **kwargs)
        self.has_decoder = self.hparams.num_decoder_layers > 0
        self.decoders = {}
        # the key is new in 0.2
        self.long_form = getattr(self.hparams, "test_long_form", False)

    @classmethod
    def check_settings(cls, settings):
        """Refuse ways of decoding that there are not, or not with this model."""
        super().check_settings(settings)
        unit = settings.get("error_unit", "word")
        if settings.get("test_normalizer") is not None:
            make_normalizer(settings["test_normalizer"])
            if unit != "word":
                raise ValueError(f"test_normalizer: it is for words, and error_unit is {unit}")
        if settings["avg_checkpoints_by"] == "WER" and unit != "word":
            raise ValueError(f"avg_checkpoints_by: choose CER, not WER: error_unit is {unit}")
        if settings.get("test_long_form") and settings["test_decoding"] == "joint_beam":
            raise ValueError(
                "test_long_form: an attention decoder cannot write hours at a time; choose another "
                "test_decoding than joint_beam"
            )
        for key in ("valid_decoding", "test_decoding"):
            if settings[key] not in cls.methods:
                raise ValueError(f"{key}: choose {', '.join(cls.methods)}, not {settings[key]!r}")
            if settings[key] == "joint_beam" and not settings["num_decoder_layers"]:
                raise ValueError(
                    f"{key}: joint_beam needs an attention decoder and num_decoder_layers is 0; "
                    "choose ctc_greedy or ctc_prefix_beam"
                )

    @classmethod
    def load_targets(cls, settings, overrides):
        """Load the tokenizer of `tokenizer_file`, if there is one."""
        return Tokens.given(settings, overrides, cls.column)

    @classmethod
    def build_targets(cls, hparams):
        """Train a tokenizer on the training transcripts, or find the one trained before."""
        return Tokens.trained(hparams, cls.column)

    def compute_forward(self, batch, stage):
        """From waveforms to what :meth:`predict` gives.

        Returns
        -------
        dict
            In dual mode, ``whole`` is the same without chunks; of whole recordings, ``words``
            alone.
        """
        batch = batch.to(self.device)
        features, frames = self.front_end(batch, stage)
        chunks = self.chunks(stage)
        if stage == sb.Stage.TEST and self.long_form:
            return {"words": self.transcribe(stage, features, frames, chunks)}
        predictions = self.predict(batch, stage, features, frames, chunks)
        # the key is new in 0.2
        weight = getattr(self.hparams, "consistency_weight", 0)
        if stage == sb.Stage.TRAIN and chunks is not None and weight:
            predictions["whole"] = self.predict(batch, stage, features, frames, None)
        return predictions

    def transcribe(self, stage, features, frames, chunks):
        """From features to words, with what decoding needs and no more."""
        modules = self.stage_modules(stage)
        lengths = to_relative(frames, features.shape[1])
        encoded, _ = modules["Transformer"](features, None, lengths, dynchunktrain_config=chunks)
        ctc = modules["ctc_lin"](encoded).float().log_softmax(-1)  # (B, T, V)
        return self.words(self.decoder(encoded, ctc, frames))

    def predict(self, batch, stage, features, frames, chunks):
        """From features to log-probabilities and, where the stage decodes, words.

        Returns
        -------
        dict
            ``ctc`` (B, T, V), ``lengths`` (B,) relative to T, ``attention`` (B, L + 1, V) or None,
            ``words`` (list of list of str) or None.
        """
        modules = self.stage_modules(stage)
        lengths = to_relative(frames, features.shape[1])
        tokens = batch.tokens_bos.data if self.has_decoder else None
        encoded, decoded = modules["Transformer"](
            features,
            tokens,
            lengths,
            pad_idx=self.hparams.pad_index,
            dynchunktrain_config=chunks,
        )
        # float32 before the softmax: the losses have no half precision on every device
        ctc = modules["ctc_lin"](encoded).float().log_softmax(-1)  # (B, T, V)
        attention = None
        if self.has_decoder:
            attention = modules["seq_lin"](decoded).float().log_softmax(-1)  # (B, L + 1, V)
        words = None
        if stage != sb.Stage.TRAIN and self.decoder is not None:
            words = self.words(self.decoder(encoded, ctc, frames))
        return {"ctc": ctc, "lengths": lengths, "attention": attention, "words": words}

    def compute_objectives(self, predictions, batch, stage):
        """Compute the loss, per utterance; keep what the end of the stage reports."""
        if "lengths" not in predictions:
            self.keep_words(batch, predictions["words"])
            return torch.tensor(torch.nan)  # a loss of hours would need more than decoding does
        loss = self.loss(predictions, batch, stage)
        if "whole" in predictions:
            # half for each, as published
            loss = (loss + self.loss(predictions["whole"], batch, stage)) / 2
            loss = loss + self.hparams.consistency_weight * self.inconsistency(predictions, batch)
        self.keep_words(batch, predictions["words"])
        return loss

    def inconsistency(self, predictions, batch):
        """Compare CTC's posteriors with and without chunks, at every valid frame."""
        first, second = predictions["ctc"], predictions["whole"]["ctc"]
        frames = from_relative(predictions["lengths"], first.shape[1])
        return consistency_loss(first, second, ~padding_mask(frames, first.shape[1]))

    def loss(self, predictions, batch, stage):
        """Compute the loss of what was predicted, per utterance."""
        tokens, token_lengths = batch.tokens
        loss = self.hparams.ctc_cost(
            predictions["ctc"], tokens, predictions["lengths"], token_lengths
        )
        if self.has_decoder:
            tokens_eos, eos_lengths = batch.tokens_eos
            attention_loss = self.hparams.seq_cost(
                predictions["attention"], tokens_eos, length=eos_lengths
            )
            weight = self.hparams.ctc_weight
            loss = weight * loss + (1 - weight) * attention_loss
            if stage != sb.Stage.TRAIN:
                self.accuracy.append(predictions["attention"], tokens_eos, eos_lengths)
        return loss

    def words(self, hypotheses):
        """Turn token ids of utterances into their words."""
        return [self.decoder.detokenizer.words(ids) for ids in hypotheses]

    def keep_words(self, batch, words):
        """Keep what was decoded, if it was, and what should have been."""
        if words is not None:
            self.ids += batch.id
            self.references += batch.text
            self.hypotheses += [" ".join(hypothesis) for hypothesis in words]

    def on_stage_start(self, stage, epoch=None):
        """Choose the decoder."""
        super().on_stage_start(stage, epoch)
        self.accuracy = AccuracyStats()
        self.decoder = None
        if stage == sb.Stage.TEST:
            self.decoder = self.get_decoder("test")
        elif stage == sb.Stage.VALID and (
            epoch % self.hparams.valid_search_interval == 0
            or epoch == self.hparams.epoch_counter.limit
        ):
            self.decoder = self.get_decoder("valid")

    def on_stage_end(self, stage, stage_loss, epoch=None):
        """Keep the statistics; there is no loss of whole recordings."""
        super().on_stage_end(stage, stage_loss, epoch)
        if stage == sb.Stage.TEST and self.long_form:
            self.test_stats.pop("loss")

    def get_decoder(self, stage):
        """Build the decoder of a stage (``valid`` or ``test``), once."""
        if stage not in self.decoders:
            method = getattr(self.hparams, f"{stage}_decoding")
            self.decoders[stage] = self.build_decoder(
                method, self.hparams, self.unwrapped_modules, self.targets.tokenizer, stage
            )
        return self.decoders[stage]

    def prepare_decoding(self):
        """Build both decoders; a language model of the one for tests takes no memory till then."""
        self.get_decoder("valid")
        self.get_decoder("test")
        if not self.test_only:
            self.decoders.pop("test")

    def stage_stats(self, stage):
        """Accuracy of the decoder's next token; error rates, where the stage decoded."""
        stats = {"ACC": self.accuracy.summarize()} if self.accuracy.total else {}
        if self.references:
            stats.update(self.error_rates())
        return stats

    def error_rates(self):
        """Statistics of references and hypotheses."""
        units = [
            [units_of(text, self.error_unit) for text in texts]
            for texts in (self.references, self.hypotheses)
        ]
        scores = score(*units)
        if self.error_unit == "character":
            return {"CER": scores["wer"]}
        return {"WER": scores["wer"], "CER": scores["cer"]}

    def write_results(self, folder, split, info):
        """Write scores, hypotheses and alignments, with the chunks of the test."""
        file = write_test_results(
            folder,
            self.test_name(split),
            self.ids,
            self.references,
            self.hypotheses,
            {**info, **self.stream_info(), "decoding": self.decoding()},
            normalizer=self.normalizer,
            unit=self.error_unit,
        )
        self.tested.append((split, file))
        rates = (key for key in self.error_keys if key in self.test_stats)
        return file, ", ".join(f"{key} {self.test_stats[key]:.2f} %" for key in rates)

    @property
    def error_unit(self):
        """What errors are counted in; the key is new in 0.2."""
        return getattr(self.hparams, "error_unit", "word")

    @property
    def normalizer(self):
        """Name of the normaliser of the tests, or None; the key is new in 0.2."""
        return getattr(self.hparams, "test_normalizer", None)

    def decoding(self):
        """Describe the decoding of test sets; None for what the method does not use."""
        hparams = self.hparams
        method, lm_source = hparams.test_decoding, hparams.lm_source
        return {
            "method": method,
            "beam": None if method == "ctc_greedy" else hparams.test_beam_size,
            "ctc_weight": hparams.ctc_weight_decode if method == "joint_beam" else None,
            "lm_source": lm_source,
            "lm_weight": None if lm_source is None else hparams.lm_weight,
        }
