"""The base class of all tasks' Brains: front end, memory check, what a test collects."""

import speechbrain as sb

from summarymixing_sb.lengths import from_relative
from summarymixing_sb.models.front_end import FrontEnd
from summarymixing_sb.training.memory_check import check_memory
from summarymixing_sb.training.resumable import ResumableBrain


class EncoderBrain(ResumableBrain):
    """Training and testing of models with an encoder of speech.

    A task is a subclass. It writes ``compute_forward``, ``compute_objectives``, ``stage_stats``,
    ``write_results``, ``load_targets`` and ``build_targets``, and names its `error_keys`.

    B batch, T frames after the front end, D model width.

    Parameters
    ----------
    targets : Tokens, Labels or Untranscribed
        The model's outputs, see :mod:`summarymixing_sb.data.targets`.
    **kwargs
        Arguments of `speechbrain.Brain`. The modules are ``normalize``, ``CNN``, ``Transformer``
        and the heads of the task.

    Attributes
    ----------
    error_keys : tuple of str
        The validation scores, better when lower, by which checkpoints may be chosen.
    longest_batches : tuple or None
        Arguments, after the Brain, of
        :func:`summarymixing_sb.training.memory_check.check_memory`, called before the first epoch.
    test_conditions : sequence
        Conditions of the tests of each test set; one None where there is no choice.
    test_condition : object
        The condition of the current test.
    long_form : bool
        Whether tests are of whole recordings, see :mod:`summarymixing_sb.data.long_form`.
    """

    error_keys = ()
    test_conditions = (None,)
    test_condition = None
    long_form = False

    def __init__(self, targets, **kwargs):
        super().__init__(**kwargs)
        self.targets = targets
        self.longest_batches = None

    # What a task defines

    @classmethod
    def check_settings(cls, settings):
        """Raise for hyperparameters that cannot work, see `config.check_settings`."""

    @classmethod
    def load_targets(cls, settings, overrides):
        """Return the targets if they are known before data are prepared, or None.

        May add to the overrides what follows from them.
        """
        raise NotImplementedError

    @classmethod
    def build_targets(cls, hparams):
        """Return the targets that the prepared training data give."""
        raise NotImplementedError

    def prepare_decoding(self):
        """Build what testing needs, so that what is wrong with it shows before training."""

    def test_name(self, split):
        """Name a test of a split under the condition of now, for logs and files."""
        return split

    def write_results(self, folder, split, info):
        """Write the results of a test; return the JSON file and what to print of it."""
        raise NotImplementedError

    def compare_tests(self, folder):
        """Write and print, after the last test, what compares the conditions."""

    # Batches

    def evaluate_batch(self, batch, stage):
        """Evaluate a batch, and count how much audio it is, and the time of each utterance."""
        before = self.seconds
        loss = super().evaluate_batch(batch, stage)
        seconds = batch.sig.lengths.double() * (batch.sig.data.shape[1] / self.hparams.sample_rate)
        total = float(seconds.sum())
        self.seconds_audio += total
        for key, own in zip(batch.id, seconds.tolist()):
            self.times[key] = (self.seconds - before) * own / total
        return loss

    def front_end(self, batch, stage, augment=None):
        """From waveforms to features for the encoder.

        Parameters
        ----------
        batch : speechbrain.dataio.batch.PaddedBatch
        stage : speechbrain.Stage
        augment : callable, optional
            Applied to the normalised features, in place of the augmentation of training.

        Returns
        -------
        features : torch.Tensor
            (B, T, channels, ...).
        frames : torch.Tensor
            (B,) valid frames.
        """
        modules, hparams = self.stage_modules(stage), self.hparams
        if augment is None and stage == sb.Stage.TRAIN:
            augment = getattr(hparams, "fea_augment", None)
        hop = hparams.sample_rate * hparams.hop_length // 1000
        front_end = FrontEnd(hparams.compute_features, modules["normalize"], modules["CNN"], hop)
        signals, lengths = batch.sig
        return front_end(
            signals,
            from_relative(lengths, signals.shape[1]),
            epoch=hparams.epoch_counter.current,
            augment=augment,
        )

    # Stages

    def on_fit_start(self):
        """Resume from the latest checkpoint, then check the memory of the longest batches."""
        super().on_fit_start()
        counter = self.hparams.epoch_counter
        if self.longest_batches is not None and counter.current < counter.limit:
            check_memory(self, *self.longest_batches)

    def on_stage_start(self, stage, epoch=None):
        """Reset what a stage collects."""
        super().on_stage_start(stage, epoch)
        self.ids, self.references, self.hypotheses = [], [], []
        self.seconds_audio = 0.0
        self.times = {}  # by utterance, in seconds
