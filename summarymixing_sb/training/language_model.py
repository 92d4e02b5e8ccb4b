"""Training of a language model for the tests of a recogniser, with the recogniser's tokenizer."""

import json
import math
import shlex
import sys
from pathlib import Path

import speechbrain as sb
import torch
from speechbrain.dataio.batch import PaddedBatch
from speechbrain.utils.distributed import ddp_init_group, run_on_main

from summarymixing_sb.data.targets import Tokens
from summarymixing_sb.data.texts import TokenBatches, TokenTexts, tokenize_texts
from summarymixing_sb.data.tokenizer import fetch_tokenizer, load_tokenizer
from summarymixing_sb.decoding.language_model import write_language_model
from summarymixing_sb.evaluation import environment_record
from summarymixing_sb.files import atomic_open
from summarymixing_sb.lengths import from_relative, padding_mask
from summarymixing_sb.models.checkpointer import Checkpointer
from summarymixing_sb.training.checkpoints import RandomState, check_same_model
from summarymixing_sb.training.command_line import parse_command_line
from summarymixing_sb.training.config import load_hparams, read_settings
from summarymixing_sb.training.experiment import leave_group
from summarymixing_sb.training.keys import KEYS
from summarymixing_sb.training.lock import locked
from summarymixing_sb.training.resumable import ResumableBrain
from summarymixing_sb.training.signals import StopSignals, ignore_stop_signals

#: Arguments of TransformerLM that a folder of a language model names beside its parameters.
SHAPE = ("d_model", "nhead", "num_encoder_layers", "d_ffn")
SETS = ("train", "valid", "test")


class LanguageModelBrain(ResumableBrain):
    """Train and test a TransformerLM to predict the next token.

    B texts, L tokens of the longest with its end, V vocabulary.
    """

    def compute_forward(self, batch, stage):
        """From tokens to scores of the next ones, (B, L, V)."""
        batch = batch.to(self.device)
        return self.stage_modules(stage)["lm"](batch.tokens_bos.data).float()

    def compute_objectives(self, predictions, batch, stage):
        """Cross entropy of a token, in nats, the mean over the batch."""
        tokens, lengths = batch.tokens_eos
        counts = from_relative(lengths, tokens.shape[1])
        behind = padding_mask(counts, tokens.shape[1])
        loss = torch.nn.functional.cross_entropy(
            predictions.flatten(0, 1), tokens.masked_fill(behind, -100).flatten(), reduction="sum"
        )
        if stage != sb.Stage.TRAIN:
            self.nats += float(loss)
            self.tokens += int(counts.sum())
        return loss / counts.sum()

    def on_stage_start(self, stage, epoch=None):
        """Reset what a stage collects."""
        super().on_stage_start(stage, epoch)
        self.nats, self.tokens = 0.0, 0

    def stage_stats(self, stage):
        """Perplexity of a token, ends included."""
        return {"perplexity": math.exp(self.nats / self.tokens)}


def run_language_model(argv, files_of):
    """Train a language model or go on training it, test it, and write ``lm.ckpt``.

    Parameters
    ----------
    argv : list of str
        Command line after the script, see
        :func:`summarymixing_sb.training.experiment.run_experiment`.
    files_of : callable
        ``files_of(settings)`` gives the text files of ``train``, ``valid`` and ``test``, a dict of
        lists; see :func:`summarymixing_sb.data.texts.read_lines`.

    Returns
    -------
    LanguageModelBrain
        After testing.

    Raises
    ------
    FileNotFoundError, ValueError
        For input that cannot work, naming the key or the file.
    RuntimeError
        If another run writes into the same output folder.
    SystemExit
        As of `run_experiment`.
    """
    hparams_file, run_opts, overrides = parse_command_line(argv)
    settings = read_settings(hparams_file, overrides)
    for name in KEYS.keys() & settings.keys():
        if problem := KEYS[name].problem(name, settings[name]):
            raise ValueError(problem)
    found = _find_tokenizer(settings)
    if overrides.setdefault("output_neurons", found.size) != found.size:
        raise ValueError(
            f"output_neurons is {overrides['output_neurons']} and the tokenizer {found.file} has "
            f"{found.size} pieces"
        )
    files = files_of(settings)
    ddp_init_group(run_opts)
    with StopSignals() as signals, locked(settings["output_folder"]):
        hparams = load_hparams(hparams_file, overrides)
        hparams["checkpointer"] = Checkpointer.adopt(hparams["checkpointer"])
        brain = _run(argv, hparams_file, run_opts, overrides, hparams, found, files, signals)
    leave_group(brain)
    return brain


def _find_tokenizer(settings):
    if settings["tokenizer_file"] is None:
        raise ValueError(
            "tokenizer_file: name the tokenizer of the recogniser, "
            "<output_folder>/save/tokenizer/<size>_<kind>.model"
        )
    file = fetch_tokenizer(settings["tokenizer_file"], settings["save_folder"])
    return Tokens(load_tokenizer(file), None, file)


def _run(argv, hparams_file, run_opts, overrides, hparams, found, files, signals):
    """Train, test and write, as the only run in its folder."""
    if not run_opts.test_only:
        sb.create_experiment_directory(hparams["output_folder"], hparams_file, overrides)
    settings = read_settings(hparams_file, overrides)
    identity = {f"lm.{key}": settings[key] for key in SHAPE}
    identity |= {"lm.vocab": settings["output_neurons"], "targets": found.digest}
    run_on_main(check_same_model, [hparams["checkpointer"], identity])
    hparams["checkpointer"].add_recoverable("random", RandomState(), optional_load=True)
    texts = Path(hparams["text_folder"])
    for name in SETS:
        longest = min(hparams["max_batch_tokens"], hparams["max_tokens"])
        run_on_main(
            tokenize_texts, [texts, name, files[name], found.file, found.tokenizer, longest]
        )
    sets = {
        name: TokenTexts(texts, name, hparams["bos_index"], hparams["eos_index"]) for name in SETS
    }

    brain = LanguageModelBrain(
        modules=hparams["modules"],
        opt_class=hparams["opt_class"],
        hparams=hparams,
        run_opts=run_opts,
        checkpointer=hparams["checkpointer"],
    )
    brain.stop_signals = signals
    most = hparams["max_batch_tokens"]
    shared = {"collate_fn": PaddedBatch, "worker_init_fn": ignore_stop_signals}
    shared["num_workers"] = hparams["num_workers"]
    loading = {
        name: {"batch_sampler": TokenBatches(sets[name].lengths, most), **shared} for name in SETS
    }
    batches = TokenBatches(sets["train"].lengths, most, hparams["seed"])
    brain.train_sampler = batches
    loading["train"] |= {"batch_sampler": batches, "generator": brain.loader_generator}
    if not brain.test_only:
        brain.fit(
            hparams["epoch_counter"],
            sets["train"],
            sets["valid"],
            train_loader_kwargs=loading["train"],
            valid_loader_kwargs=loading["valid"],
        )
    brain.evaluate(sets["test"], test_loader_kwargs=loading["test"])
    run_on_main(_write, [brain, hparams, argv, hparams_file])
    return brain


def _write(brain, hparams, argv, hparams_file):
    """Write the averaged model, and what its test gave."""
    folder = Path(hparams["output_folder"])
    model = brain.unwrapped_modules["lm"]
    shape = {key: hparams[key] for key in SHAPE}
    write_language_model(folder, model.state_dict(), {"vocab": hparams["output_neurons"], **shape})
    checkpoints = brain.tested_checkpoints
    record = {
        **brain.test_stats,
        "tokens": brain.tokens,
        "parameters": sum(p.numel() for p in model.parameters()),
        "training_seconds": max(ckpt.meta.get("training_seconds", 0) for ckpt in checkpoints),
        "epochs": max(ckpt.meta["epoch"] for ckpt in checkpoints),
        "seed": hparams["seed"],
        "yaml": str(hparams_file),
        "command": shlex.join(["python", sys.argv[0], *argv]),
        **environment_record(),
    }
    file = Path(hparams["results_folder"]) / "test.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    with atomic_open(file) as stream:
        stream.write(json.dumps(record, indent=1) + "\n")
    hparams["train_logger"].log_stats({"test": "test"}, test_stats=brain.test_stats)
    print(
        f"test: perplexity {record['perplexity']:.2f} over {brain.tokens} tokens, details in "
        f"{file}; --lm_source={folder}"
    )
