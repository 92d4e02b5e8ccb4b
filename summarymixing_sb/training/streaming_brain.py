"""The base class of Brains whose models may stream: chunks of training and tests, and delays."""

from pathlib import Path

import speechbrain as sb
import torch

from summarymixing_sb.decoding.alignment import align_words
from summarymixing_sb.decoding.streaming import StreamingCTC
from summarymixing_sb.decoding.text import Detokenizer
from summarymixing_sb.lengths import from_relative, subsampling_factor, to_relative
from summarymixing_sb.training.brain import EncoderBrain
from summarymixing_sb.training.chunks import check_chunks, read_chunk_tests
from summarymixing_sb.training.latency import ChunkClock, Delays, written_words
from summarymixing_sb.training.streaming_eval import write_streaming_table


class StreamingBrain(EncoderBrain):
    """Training and testing of models that may be trained to stream.

    The hyperparameters of those that are have ``dynchunktrain_config_sampler``, SpeechBrain's
    ``DynChunkTrainConfigRandomSampler``, which draws the chunks that the encoder sees of each
    training batch (dynamic chunk training), so that one model serves every chunk size and left
    context; and ``test_chunks``. Validation has the whole utterance.

    The modules have ``ctc_lin``. B batch, T frames after the front end, V vocabulary.
    """

    def __init__(self, targets, **kwargs):
        super().__init__(targets, **kwargs)
        self.tested = []
        self.spoken = {}  # words of the references with their times, by utterance
        if self.streams:
            self.test_conditions = read_chunk_tests(self.hparams.test_chunks)
            self.test_condition = self.test_conditions[0]

    @classmethod
    def check_settings(cls, settings):
        """Refuse chunks that cannot be, or not with this model."""
        super().check_settings(settings)
        if "test_chunks" in settings:
            check_chunks(settings)

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

    def on_stage_start(self, stage, epoch=None):
        """Begin to measure delays, in a test in chunks."""
        super().on_stage_start(stage, epoch)
        if stage == sb.Stage.TEST and self.chunks(stage) is not None:
            size, rate = self.chunks(stage).chunk_size, self.hparams.sample_rate
            subsampling = self.unwrapped_modules["CNN"]
            clock = ChunkClock.of(size, self.hparams.compute_features, subsampling, rate)
            self.delays = Delays(clock)

    def evaluate_batch(self, batch, stage):
        """Evaluate a batch; then, of a test in chunks, measure when words are written."""
        loss = super().evaluate_batch(batch, stage)
        if stage == sb.Stage.TEST and self.chunks(stage) is not None and not self.long_form:
            self.measure_delays(batch)
        return loss

    @torch.no_grad()
    def measure_delays(self, batch):
        """Decode greedily chunk by chunk; the time of the test is not that of this."""
        chunks = self.chunks(sb.Stage.TEST)
        modules = self.stage_modules(sb.Stage.TEST)
        features, frames = self.front_end(batch, sb.Stage.TEST)
        lengths = to_relative(frames, features.shape[1])
        encoded, _ = modules["Transformer"](features, None, lengths, dynchunktrain_config=chunks)
        if not self.spoken.keys() >= {*batch.id}:
            self.align(batch, features, frames)
        samples = from_relative(batch.sig.lengths, batch.sig.data.shape[1]).tolist()
        detokenizer = Detokenizer(self.targets.tokenizer)
        for row, (key, count) in enumerate(zip(batch.id, frames.tolist())):
            decode, own = self.streaming_decoder(modules), encoded[row, :count]
            written = written_words(decode, own, chunks.chunk_size, detokenizer)
            self.delays.add(self.spoken[key], written, samples[row])

    def align(self, batch, features, frames):
        """Align the references in the whole utterances, which serves the tests of all chunks."""
        modules = self.stage_modules(sb.Stage.TEST)
        lengths = to_relative(frames, features.shape[1])
        whole, _ = modules["Transformer"](features, None, lengths)
        ctc = modules["ctc_lin"](whole).float().log_softmax(-1)  # (B, T, V)
        tokens, token_lengths = batch.tokens
        counts = from_relative(token_lengths, tokens.shape[1]).tolist()
        detokenizer, blank = Detokenizer(self.targets.tokenizer), self.hparams.blank_index
        for row, (key, count) in enumerate(zip(batch.id, frames.tolist())):
            ids = detokenizer.writable(tokens[row, : counts[row]].tolist())
            scores, seconds = ctc[row, :count], self.frame_ms() / 1000
            self.spoken[key] = align_words(ids, scores, detokenizer, blank, seconds)

    def streaming_decoder(self, modules):
        """Start to decode a stream."""
        return StreamingCTC(modules["ctc_lin"], self.hparams.blank_index)

    def test_name(self, split):
        """Name a test after its chunks, too, where there are some to choose."""
        name = f"{split}.long_form" if self.long_form else split
        return f"{name}.{self.test_condition.name}" if self.streams else name

    def frame_ms(self):
        """Milliseconds from one frame of the encoder to the next."""
        return subsampling_factor(self.unwrapped_modules["CNN"]) * self.hparams.hop_length

    def compare_tests(self, folder):
        """Write and print the table over chunk sizes and left contexts."""
        if self.streams and self.tested:
            print(write_streaming_table(Path(folder) / "streaming.csv", self.tested))

    def stream_info(self):
        """Describe chunks and delays of a test, for its JSON file."""
        if not self.streams:
            return {}
        info = self.test_condition.info(self.frame_ms())
        if self.test_condition.config is None or self.long_form:
            return info
        return info | self.delays.info()
