"""Speech recognition: CTC alone, or CTC with an attention decoder."""

from pathlib import Path

import speechbrain as sb
import torch
from speechbrain.utils.Accuracy import AccuracyStats

from summarymixing_sb.data.targets import Tokens
from summarymixing_sb.decoding.alignment import align_words
from summarymixing_sb.decoding.build import METHODS, build_decoder
from summarymixing_sb.decoding.streaming import StreamingCTC
from summarymixing_sb.decoding.text import Detokenizer
from summarymixing_sb.evaluation import score, write_test_results
from summarymixing_sb.evaluation.normalizers import make_normalizer
from summarymixing_sb.lengths import (
    from_relative,
    padding_mask,
    subsampling_factor,
    to_relative,
)
from summarymixing_sb.training.brain import EncoderBrain
from summarymixing_sb.training.chunks import check_chunks, read_chunk_tests
from summarymixing_sb.training.consistency import consistency_loss
from summarymixing_sb.training.latency import ChunkClock, Delays, written_words
from summarymixing_sb.training.streaming_eval import write_streaming_table


class ASRBrain(EncoderBrain):
    """Train and test a speech recogniser.

    B batch, T frames after the front end, V vocabulary, L tokens.

    Of the hyperparameters, ``num_decoder_layers`` says whether there is a decoder; then the modules
    have ``seq_lin`` besides ``ctc_lin``. The targets are
    :class:`summarymixing_sb.data.targets.Tokens`.

    A model that is to stream has ``dynchunktrain_config_sampler``, SpeechBrain's
    ``DynChunkTrainConfigRandomSampler``, which draws the chunks that the encoder sees of each
    training batch (dynamic chunk training), so that one model serves every chunk size and left
    context; ``test_chunks``; and ``consistency_weight``, above 0 for dual mode, in which a batch in
    chunks is also encoded whole. Validation has the whole utterance.
    """

    error_key = "WER"
    #: Column of the manifests that holds what is written.
    column = "wrd"
    #: The ways of decoding, and what builds them.
    methods = METHODS
    build_decoder = staticmethod(build_decoder)

    def __init__(self, targets, **kwargs):
        super().__init__(targets, **kwargs)
        self.has_decoder = self.hparams.num_decoder_layers > 0
        self.decoders = {}
        self.tested = []
        if self.streams:
            self.test_conditions = read_chunk_tests(self.hparams.test_chunks)
            self.test_condition = self.test_conditions[0]

    @classmethod
    def check_settings(cls, settings):
        """Refuse ways of decoding and chunks that there are not, or not with this model."""
        if settings.get("test_normalizer") is not None:
            make_normalizer(settings["test_normalizer"])
        for key in ("valid_decoding", "test_decoding"):
            if settings[key] not in cls.methods:
                raise ValueError(f"{key}: choose {', '.join(cls.methods)}, not {settings[key]!r}")
            if settings[key] == "joint_beam" and not settings["num_decoder_layers"]:
                raise ValueError(
                    f"{key}: joint_beam needs an attention decoder and num_decoder_layers is 0; "
                    "choose ctc_greedy or ctc_prefix_beam"
                )
        if "test_chunks" in settings:
            check_chunks(settings)

    @classmethod
    def load_targets(cls, settings, overrides):
        """Load the tokenizer of `tokenizer_file`, if there is one."""
        return Tokens.given(settings, overrides, cls.column)

    @classmethod
    def build_targets(cls, hparams):
        """Train a tokenizer on the training transcripts, or find the one trained before."""
        return Tokens.trained(hparams, cls.column)

    @property
    def streams(self):
        """Whether the model is trained on chunks."""
        return hasattr(self.hparams, "dynchunktrain_config_sampler")

    def chunks(self, stage):
        """Draw the chunks of a training batch, or give those of a test; None for none."""
        if not self.streams:
            return None
        if stage == sb.Stage.TEST:
            return self.test_condition.config
        return self.hparams.dynchunktrain_config_sampler(stage)

    def compute_forward(self, batch, stage):
        """From waveforms to what :meth:`predict` gives.

        Returns
        -------
        dict
            In dual mode, ``whole`` is the same without chunks.
        """
        batch = batch.to(self.device)
        features, frames = self.front_end(batch, stage)
        chunks = self.chunks(stage)
        predictions = self.predict(batch, stage, features, frames, chunks)
        # the key is new in 0.2
        weight = getattr(self.hparams, "consistency_weight", 0)
        if stage == sb.Stage.TRAIN and chunks is not None and weight:
            predictions["whole"] = self.predict(batch, stage, features, frames, None)
        return predictions

    def evaluate_batch(self, batch, stage):
        """Evaluate a batch; then, of a test in chunks, measure when words are written."""
        loss = super().evaluate_batch(batch, stage)
        if stage == sb.Stage.TEST and self.chunks(stage) is not None:
            self.measure_delays(batch)
        return loss

    @torch.no_grad()
    def measure_delays(self, batch):
        """Decode greedily chunk by chunk, and align the references in the whole utterances."""
        chunks, blank = self.chunks(sb.Stage.TEST), self.hparams.blank_index
        modules = self.stage_modules(sb.Stage.TEST)
        features, frames = self.front_end(batch, sb.Stage.TEST)
        lengths = to_relative(frames, features.shape[1])
        encoded, _ = modules["Transformer"](features, None, lengths, dynchunktrain_config=chunks)
        whole, _ = modules["Transformer"](features, None, lengths)
        ctc = modules["ctc_lin"](whole).float().log_softmax(-1)  # (B, T, V)
        tokens, token_lengths = batch.tokens
        counts = from_relative(token_lengths, tokens.shape[1]).tolist()
        samples = from_relative(batch.sig.lengths, batch.sig.data.shape[1]).tolist()
        detokenizer = Detokenizer(self.targets.tokenizer)
        for row, count in enumerate(frames.tolist()):
            decode, own = self.streaming_decoder(modules), encoded[row, :count]
            written = written_words(decode, own, chunks.chunk_size, detokenizer)
            ids = detokenizer.writable(tokens[row, : counts[row]].tolist())
            scores = ctc[row, :count]
            spoken = align_words(ids, scores, detokenizer, blank, self.frame_ms() / 1000)
            self.delays.add(spoken, written, samples[row])

    def streaming_decoder(self, modules):
        """Start to decode a stream."""
        return StreamingCTC(modules["ctc_lin"], self.hparams.blank_index)

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
        if stage == sb.Stage.TEST and self.chunks(stage) is not None:
            size, rate = self.chunks(stage).chunk_size, self.hparams.sample_rate
            subsampling = self.unwrapped_modules["CNN"]
            self.delays = Delays(
                ChunkClock.of(size, self.hparams.compute_features, subsampling, rate)
            )
        if stage == sb.Stage.TEST:
            self.decoder = self.get_decoder("test")
        elif stage == sb.Stage.VALID and (
            epoch % self.hparams.valid_search_interval == 0
            or epoch == self.hparams.epoch_counter.limit
        ):
            self.decoder = self.get_decoder("valid")

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
        stats = {"ACC": self.accuracy.summarize()} if self.has_decoder else {}
        if self.references:
            stats.update(self.error_rates())
        return stats

    def error_rates(self):
        """Statistics of references and hypotheses."""
        scores = score(self.references, self.hypotheses)
        return {"WER": scores["wer"], "CER": scores["cer"]}

    def test_name(self, split):
        """Name a test after its chunks, too, where there are some to choose."""
        return f"{split}.{self.test_condition.name}" if self.streams else split

    def frame_ms(self):
        """Milliseconds from one frame of the encoder to the next."""
        return subsampling_factor(self.unwrapped_modules["CNN"]) * self.hparams.hop_length

    def compare_tests(self, folder):
        """Write and print the table over chunk sizes and left contexts."""
        if self.tested:
            print(write_streaming_table(Path(folder) / "streaming.csv", self.tested))

    def write_results(self, folder, split, info):
        """Write scores, hypotheses and alignments, with the chunks of the test."""
        if self.streams:
            info = {**info, **self.test_condition.info(self.frame_ms())}
            if self.test_condition.config is not None:
                info |= self.delays.info()
        file = write_test_results(
            folder,
            self.test_name(split),
            self.ids,
            self.references,
            self.hypotheses,
            {**info, "decoding": self.decoding()},
            normalizer=self.normalizer,
        )
        if self.streams:
            self.tested.append((split, file))
        return file, f"WER {self.test_stats['WER']:.2f} %, CER {self.test_stats['CER']:.2f} %"

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
