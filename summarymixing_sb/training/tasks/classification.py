"""Classification of utterances: one label of each."""

import speechbrain as sb
import torch
import torch.nn.functional as F

from summarymixing_sb.data.targets import NO_LABEL, Labels
from summarymixing_sb.evaluation import write_label_results
from summarymixing_sb.evaluation.labels import label_scores
from summarymixing_sb.lengths import padding_mask, to_relative
from summarymixing_sb.pooling import utterance_mean
from summarymixing_sb.training.brain import EncoderBrain


class ClassificationBrain(EncoderBrain):
    """Train and test a classifier of whole utterances.

    The encoder's valid frames are averaged over time; ``label_lin`` gives a score for each label.
    B batch, T frames after the front end, D model width, C labels.
    """

    error_keys = ("error_rate",)
    #: Column of the manifests that holds the label.
    column = "class"
    #: The score that is printed, and what computes all of them.
    headline = "accuracy"
    scores = staticmethod(label_scores)

    @classmethod
    def load_targets(cls, settings, overrides):
        """Load the labels of a model that has been trained."""
        return Labels.given(settings, overrides, cls.column)

    @classmethod
    def build_targets(cls, hparams):
        """Collect the labels of the training data."""
        return Labels.found(hparams, cls.column)

    def compute_forward(self, batch, stage):
        """From waveforms to a score for each label, (B, C)."""
        batch = batch.to(self.device)
        modules = self.stage_modules(stage)
        features, frames = self.front_end(batch, stage)
        lengths = to_relative(frames, features.shape[1])
        encoded, _ = modules["Transformer"](features, None, lengths)  # (B, T, D)
        mask = padding_mask(frames, encoded.shape[1])
        pooled = utterance_mean(encoded, mask).squeeze(1)  # (B, D)
        return modules["label_lin"](pooled).float()

    def compute_objectives(self, predictions, batch, stage):
        """Cross entropy; keeps what the end of the stage reports."""
        labels = torch.as_tensor(batch.label, device=predictions.device)  # (B,)
        loss = F.cross_entropy(
            predictions,
            labels,
            ignore_index=NO_LABEL,
            reduction="sum",
            label_smoothing=self.hparams.label_smoothing,
        ) / (labels != NO_LABEL).sum().clamp(min=1)
        if stage != sb.Stage.TRAIN:
            names = self.targets.names()
            self.ids += batch.id
            self.references += batch.text
            self.hypotheses += [names[index] for index in predictions.argmax(-1).tolist()]
        return loss

    def stage_stats(self, stage):
        """Share of wrong labels, in percent."""
        wrong = sum(a != b for a, b in zip(self.references, self.hypotheses))
        return {"error_rate": 100 * wrong / len(self.references)}

    def write_results(self, folder, split, info):
        """Write accuracies, and the labels as text."""
        scores = self.scores(self.references, self.hypotheses)
        file = write_label_results(
            folder, split, self.ids, self.references, self.hypotheses, scores, info
        )
        return file, f"{self.headline.replace('_', ' ')} {scores[self.headline]:.2f} %"
