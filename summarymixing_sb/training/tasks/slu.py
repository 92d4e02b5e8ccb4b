"""Spoken language understanding: intent and marked transcript, written as one string."""

import json
from functools import cached_property
from pathlib import Path

from summarymixing_sb.data.manifests import read_manifest
from summarymixing_sb.data.semantics import from_string, markers, recover
from summarymixing_sb.data.targets import Tokens
from summarymixing_sb.evaluation import write_test_results
from summarymixing_sb.evaluation.slu import slu_scores, understood
from summarymixing_sb.evaluation.slurp import write_predictions
from summarymixing_sb.training.tasks.asr import ASRBrain


class SLUBrain(ASRBrain):
    """Train and test a model of strings by :func:`summarymixing_sb.data.semantics.to_string`.

    To the model it is a text like any other. Intents and marks of entities are a piece each.
    """

    column = "semantics"

    @classmethod
    def build_targets(cls, hparams):
        """Train a tokenizer on the training strings, or find the one trained before."""
        train_csv = Path(hparams["manifest_folder"]) / "train.csv"
        symbols = ()
        if train_csv.is_file():
            symbols = markers(from_string(row[cls.column]) for row in read_manifest(train_csv))
        return Tokens.trained(hparams, cls.column, symbols)

    def meanings(self):
        """Parse references and hypotheses."""
        references = [from_string(text) for text in self.references]
        return references, [recover(text) for text in self.hypotheses]

    def understanding(self, intervals=False):
        """Score what was understood; entities of the references are those of the manifests."""
        references, hypotheses = self.meanings()
        gold = [
            understood(meaning, self.annotated.get(key))
            for key, meaning in zip(self.ids, references)
        ]
        return slu_scores(gold, hypotheses, intervals)

    @cached_property
    def annotated(self):
        """Entities by utterance, where the manifests have them."""
        folder = Path(self.hparams.manifest_folder)
        splits = {*self.hparams.valid_splits, *self.hparams.test_splits}
        files = [folder / f"{split}.csv" for split in sorted(splits)]
        rows = (row for file in files if file.is_file() for row in read_manifest(file))
        entities = {row["ID"]: json.loads(row.get("entities") or "null") for row in rows}
        return {
            key: None if found is None else [tuple(entity) for entity in found]
            for key, found in entities.items()
        }

    def error_rates(self):
        """Error rates of the strings, and how well they are understood."""
        scores = self.understanding()
        return {
            **super().error_rates(),
            "intent_accuracy": scores["intent_accuracy"],
            "slu_f1": scores["slu_f1"],
        }

    def write_results(self, folder, split, info):
        """Write scores, transcripts, and predictions as SLURP's official scorer reads them."""
        references, hypotheses = self.meanings()
        scores = self.understanding(intervals=True)
        Path(folder).mkdir(parents=True, exist_ok=True)
        write_predictions(Path(folder) / f"{split}.predictions.jsonl", self.ids, hypotheses)
        file = write_test_results(
            folder,
            split,
            self.ids,
            [meaning.sentence for meaning in references],
            [meaning.sentence for meaning in hypotheses],
            {**info, "decoding": self.decoding()},
            scores,
            normalizer=self.normalizer,
        )
        summary = f"intent accuracy {scores['intent_accuracy']:.2f} %"
        return file, f"{summary}, SLU-F1 {scores['slu_f1']:.2f} %"
