"""The Brain of every speech recognition recipe: CTC alone, or CTC with an attention decoder."""

import logging
import time

import speechbrain as sb
import torch
from speechbrain.core import INTRA_EPOCH_CKPT_FLAG
from speechbrain.utils.Accuracy import AccuracyStats
from speechbrain.utils.checkpoints import ckpt_recency
from speechbrain.utils.logger import get_logger

from summarymixing_sb.evaluation import score
from summarymixing_sb.frontend import valid_frames
from summarymixing_sb.training.checkpoints import another_model, end_of_epoch, load_average
from summarymixing_sb.training.decoding import build_decoder
from summarymixing_sb.training.trial import try_batches

logger = get_logger(__name__)


class ASRBrain(sb.Brain):
    """Train and test a speech recogniser.

    B batch, T frames after the front end, D model width, V vocabulary, L tokens.

    Parameters
    ----------
    tokenizer : sentencepiece.SentencePieceProcessor
    **kwargs
        Those of `speechbrain.Brain`. Of the hyperparameters, ``num_decoder_layers`` says whether
        there is a decoder; then the modules have ``seq_lin`` besides ``normalize``, ``CNN``,
        ``Transformer`` and ``ctc_lin``.

    Attributes
    ----------
    trial : tuple or None
        What :func:`summarymixing_sb.training.trial.try_batches` takes after the Brain, tried before
        training starts.
    loader_generator : torch.Generator
        For the loader of training batches.
    """

    def __init__(self, tokenizer, **kwargs):
        super().__init__(**kwargs)
        self.tokenizer = tokenizer
        self.trial = None
        self.has_decoder = self.hparams.num_decoder_layers > 0
        self.decoders = {}
        self.tested_checkpoints = None
        # its own generator, so that starting an epoch draws nothing from the global one
        self.loader_generator = torch.Generator()
        self.tensorboard = None
        if self.hparams.tensorboard:
            folder = f"{self.hparams.output_folder}/tensorboard"
            self.tensorboard = sb.utils.train_logger.TensorboardLogger(folder)

    # What happens to a batch

    def compute_forward(self, batch, stage):
        """From waveforms to log-probabilities and, where the stage decodes, words.

        Returns
        -------
        dict
            ``ctc`` (B, T, V), ``lengths`` (B,) relative to T, ``attention`` (B, L + 1, V) or None,
            ``words`` (list of list of str) or None.
        """
        batch = batch.to(self.device)
        modules = self.modules if stage == sb.Stage.TRAIN else self.bare_modules
        features, lengths = self._front_end(batch, modules, stage)
        tokens = batch.tokens_bos.data if self.has_decoder else None
        encoded, decoded = modules["Transformer"](
            features, tokens, lengths, pad_idx=self.hparams.pad_index
        )
        # float32 before the softmax: the losses have no half precision on every device
        ctc = modules["ctc_lin"](encoded).float().log_softmax(-1)  # (B, T, V)
        attention = None
        if self.has_decoder:
            attention = modules["seq_lin"](decoded).float().log_softmax(-1)  # (B, L + 1, V)
        words = None
        if stage != sb.Stage.TRAIN and self.decoder is not None:
            words = self.decoder(encoded, ctc, lengths)
        return {"ctc": ctc, "lengths": lengths, "attention": attention, "words": words}

    def compute_objectives(self, predictions, batch, stage):
        """The loss, per utterance; keeps what the end of the stage reports."""
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
        if predictions["words"] is not None:
            self.ids += batch.id
            self.references += batch.wrd
            self.hypotheses += predictions["words"]
        return loss

    def evaluate_batch(self, batch, stage):
        """Evaluate a batch and count how long that takes."""
        started = time.perf_counter()
        loss = super().evaluate_batch(batch, stage)  # on the CPU: what was queued is done
        self.seconds += time.perf_counter() - started
        self.seconds_audio += float(batch.sig.lengths.sum()) * (
            batch.sig.data.shape[1] / self.hparams.sample_rate
        )
        return loss

    def _front_end(self, batch, modules, stage):
        """From waveforms to features for the encoder and their relative lengths."""
        signals, signal_lengths = batch.sig
        hop = self.hparams.sample_rate * self.hparams.hop_length // 1000
        frames = valid_frames(signal_lengths, signals.shape[1], hop)  # (B,)
        features = self.hparams.compute_features(signals)  # (B, frames, mels)
        features = modules["normalize"](
            features, frames / features.shape[1], epoch=self.hparams.epoch_counter.current
        )
        if stage == sb.Stage.TRAIN and self.hparams.fea_augment is not None:
            features, _ = self.hparams.fea_augment(features, frames / features.shape[1])
        features = modules["CNN"](features, frames)
        encoder_frames = self.bare_modules["CNN"].subsampled(frames)
        return features, encoder_frames / features.shape[1]

    @property
    def bare_modules(self):
        """The modules without DistributedDataParallel, whose forward all processes must enter."""
        wrapped = torch.nn.parallel.DistributedDataParallel, torch.nn.DataParallel
        return {
            name: module.module if isinstance(module, wrapped) else module
            for name, module in self.modules.items()
        }

    # What happens around training

    def on_fit_start(self):
        """Resume from the latest checkpoint, then try the longest batches."""
        try:
            super().on_fit_start()
        except RuntimeError as error:
            if "state_dict" not in str(error):
                raise
            raise another_model(self.checkpointer, error) from error
        counter = self.hparams.epoch_counter
        if self.trial is not None and counter.current < counter.limit:
            try_batches(self, *self.trial)

    def on_fit_batch_start(self, batch, should_step):
        """Set the learning rate before the optimiser's step, so that the first is warmed up too."""
        if should_step:
            self.hparams.noam_annealing(self.optimizer)

    def _should_save_intra_epoch_ckpt(self, last_ckpt_time, steps_since_ckpt):
        """Save between optimiser steps only: gradients that are being summed are not saved."""
        due = super()._should_save_intra_epoch_ckpt(last_ckpt_time, steps_since_ckpt)
        return due and self.step % self.grad_accumulation_factor == 0

    def on_stage_start(self, stage, epoch=None):
        """Forget the last stage; choose the decoder."""
        self.ids, self.references, self.hypotheses = [], [], []
        self.seconds = self.seconds_audio = 0.0
        self.accuracy = AccuracyStats()
        self.decoder = None
        if stage == sb.Stage.TRAIN:
            self.loader_generator.manual_seed(self.hparams.seed + epoch)
        elif stage == sb.Stage.TEST:
            self.decoder = self.get_decoder("test")
        elif epoch % self.hparams.valid_search_interval == 0 or self._last(epoch):
            self.decoder = self.get_decoder("valid")

    def on_stage_end(self, stage, stage_loss, epoch=None):
        """Log what the stage gave, and save a checkpoint after validation."""
        if stage == sb.Stage.TRAIN:
            self.train_loss = stage_loss
            return
        stats = {"loss": float(stage_loss)}
        if self.has_decoder:
            stats["ACC"] = self.accuracy.summarize()
        if self.references:
            scores = score(self.references, self.hypotheses)
            stats.update({"WER": scores["wer"], "CER": scores["cer"]})
        if stage == sb.Stage.TEST:
            self.test_stats = stats
        else:
            self._log_epoch(epoch, stats)
            self._save_epoch(epoch, stats)

    def _log_epoch(self, epoch, stats):
        meta = {"epoch": epoch, "lr": self.optimizer.param_groups[0]["lr"]}
        meta["steps"] = self.optimizer_step
        logs = {"train_stats": {"loss": self.train_loss}, "valid_stats": stats}
        self.hparams.train_logger.log_stats(meta, **logs)
        if self.tensorboard is not None:
            self.tensorboard.log_stats(meta, **logs)

    def _save_epoch(self, epoch, stats):
        """Keep as many checkpoints as are averaged, the last ones and the best ones."""
        by = self.hparams.avg_checkpoints_by
        self.checkpointer.save_and_keep_only(
            meta={**stats, "epoch": epoch},
            num_to_keep=self.hparams.avg_checkpoints,
            importance_keys=[],
            min_keys=[] if by == "last" else [by],
            ckpt_predicate=end_of_epoch,
        )
        # those of the middle of this epoch serve no more
        self.checkpointer.delete_checkpoints(
            num_to_keep=0,
            importance_keys=[ckpt_recency],
            ckpt_predicate=lambda checkpoint: INTRA_EPOCH_CKPT_FLAG in checkpoint.meta,
            verbosity=logging.DEBUG,
        )

    def _last(self, epoch):
        return epoch == self.hparams.epoch_counter.limit

    # What happens around testing

    def get_decoder(self, stage):
        """Build the decoder of a stage (``valid`` or ``test``), once."""
        if stage not in self.decoders:
            method = getattr(self.hparams, f"{stage}_decoding")
            self.decoders[stage] = build_decoder(
                method, self.hparams, self.bare_modules, self.tokenizer, stage
            )
        return self.decoders[stage]

    def on_evaluate_start(self, max_key=None, min_key=None):
        """Average checkpoints in memory, once for all test sets."""
        if self.tested_checkpoints is None:
            self.tested_checkpoints = load_average(
                self.checkpointer,
                self.hparams.model,
                self.hparams.normalize,
                self.hparams.avg_checkpoints,
                self.hparams.avg_checkpoints_by,
            )
            epochs = ", ".join(str(ckpt.meta["epoch"]) for ckpt in self.tested_checkpoints)
            logger.info(f"Testing the average of the checkpoints of epochs {epochs}")
