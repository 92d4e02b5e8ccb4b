"""A whole experiment, as a recipe's ``train.py`` runs it: prepare, train, test."""

import shlex
import sys
from pathlib import Path

import speechbrain as sb
import torch
from speechbrain.utils.distributed import (
    ddp_init_group,
    is_distributed_initialized,
    run_on_main,
)
from speechbrain.utils.logger import get_logger

from summarymixing_sb.evaluation import peak_memory_mb, reset_peak_memory, write_test_results
from summarymixing_sb.training.brain import ASRBrain
from summarymixing_sb.training.checkpoints import RandomState, check_same_model
from summarymixing_sb.training.config import (
    check_settings,
    load_hparams,
    model_identity,
    parse_command_line,
    read_settings,
)
from summarymixing_sb.training.data import leave_out, make_batches, make_dataset, read_manifests
from summarymixing_sb.training.tokenizer import (
    check_tokenizer,
    fetch_tokenizer,
    load_tokenizer,
    tokenizer_digest,
    train_tokenizer,
)
from summarymixing_sb.training.trial import longest_batches

logger = get_logger(__name__)


def run_asr(argv, prepare):
    """Prepare data, train a speech recogniser or go on training it, and test it.

    Parameters
    ----------
    argv : list of str
        Command line after the script: a YAML file, then ``--key=value`` for its keys and for
        SpeechBrain's run options (``--device``, ``--precision``, ``--test_only`` ...).
    prepare : callable
        ``prepare(hparams)`` writes ``train.csv`` and one ``<split>.csv`` per split of
        ``valid_splits`` and ``test_splits`` into the folder ``manifest_folder``. Called on the main
        process.

    Returns
    -------
    ASRBrain
        The Brain after testing, for who wants to look into it.

    Raises
    ------
    FileNotFoundError, ValueError
        For input that cannot work, naming the key or the file; most of it before preparation.
    """
    hparams_file, run_opts, overrides = parse_command_line(argv)
    settings = read_settings(hparams_file, overrides)
    check_settings(settings)
    ddp_init_group(run_opts)
    if settings["tokenizer_file"] is None:
        given = None
    else:
        given, tokenizer = _given_tokenizer(settings, overrides)
        settings = read_settings(hparams_file, overrides)
        check_tokenizer(tokenizer, given, settings)

    hparams = load_hparams(hparams_file, overrides)
    _make_folder(hparams, hparams_file, overrides, run_opts)
    checkpointer = hparams["checkpointer"]
    checkpointer.add_recoverable("random", RandomState(), optional_load=True)
    identity = model_identity(settings)
    run_on_main(check_same_model, [checkpointer, identity])

    run_on_main(prepare, [hparams])
    if given is None:
        given = _own_tokenizer(hparams)
        tokenizer = load_tokenizer(given)
        check_tokenizer(tokenizer, given, settings)
    identity["tokenizer"] = tokenizer_digest(given)
    run_on_main(check_same_model, [checkpointer, identity])

    brain = ASRBrain(
        tokenizer,
        modules=hparams["modules"],
        opt_class=hparams["opt_class"],
        hparams=hparams,
        run_opts=run_opts,
        checkpointer=checkpointer,
    )
    brain.get_decoder("valid")
    # built before training as well, so that what is wrong with it shows before the first epoch
    brain.get_decoder("test")
    if not brain.test_only:
        brain.decoders.pop("test")
        _train(brain, hparams)
    run = {"command": shlex.join(["python", sys.argv[0], *argv]), "yaml": str(hparams_file)}
    run["overrides"] = {key: settings[key] for key in overrides}
    for split in hparams["test_splits"]:
        _test(brain, hparams, split, run)
    return brain


def _given_tokenizer(settings, overrides):
    """Load the tokenizer of `tokenizer_file`; one from the command line sets `output_neurons`."""
    file = fetch_tokenizer(settings["tokenizer_file"], settings["tokenizer_folder"])
    tokenizer = load_tokenizer(file)
    if "tokenizer_file" in overrides and "output_neurons" not in overrides:
        overrides["output_neurons"] = tokenizer.get_piece_size()
    return file, tokenizer


def _make_folder(hparams, hparams_file, overrides, run_opts):
    """Create the experiment's folder; testing leaves the record of how it was trained."""
    folder = Path(hparams["output_folder"])
    keep = run_opts.test_only and (folder / "hyperparams.yaml").is_file()
    sb.create_experiment_directory(
        experiment_directory=str(folder),
        hyperparams_to_save=None if keep else hparams_file,
        overrides=overrides,
    )


def _own_tokenizer(hparams):
    """Train a tokenizer on the training transcripts, or find the one trained before."""
    return train_tokenizer(
        hparams["tokenizer_folder"],
        Path(hparams["manifest_folder"]) / "train.csv",
        hparams["token_type"],
        hparams["output_neurons"],
        hparams["bos_index"],
        hparams["eos_index"],
        keep=bool(hparams["checkpointer"].list_checkpoints()),
    )


def _train(brain, hparams):
    """Read the training data and fit."""
    manifests = Path(hparams["manifest_folder"])
    data, num_tokens = leave_out(
        read_manifests([manifests / "train.csv"]), brain.tokenizer, hparams
    )
    train_set = make_dataset(data, brain.tokenizer, hparams, train=True)
    batches = make_batches(train_set, hparams, "train")
    # fewer batches than this, and an epoch has no optimiser step, or a process no batch
    processes = torch.distributed.get_world_size() if is_distributed_initialized() else 1
    needed = max(brain.grad_accumulation_factor * processes, 2 * processes if processes > 1 else 1)
    if len(batches) < needed:
        raise ValueError(
            f"the training data make {len(batches)} batch(es) and at least {needed} are needed: "
            f"lower max_batch_length_train (now {hparams['max_batch_length_train']} s) or "
            f"grad_accumulation_factor (now {brain.grad_accumulation_factor})"
        )
    batches.set_epoch(1)
    durations = [item["duration"] for item in data.values()]
    slowest = min(hparams["speed_changes"] or [100]) / 100
    brain.trial = (train_set, longest_batches(list(batches), durations, num_tokens), slowest)
    # the Brain then draws new batches for each epoch, the same ones when it is resumed
    brain.train_sampler = batches

    valid_set = make_dataset(
        read_manifests(manifests / f"{split}.csv" for split in hparams["valid_splits"]),
        brain.tokenizer,
        hparams,
    )
    workers = {"num_workers": hparams["num_workers"]}
    brain.fit(
        hparams["epoch_counter"],
        train_set,
        valid_set,
        train_loader_kwargs={
            "batch_sampler": batches,
            "generator": brain.loader_generator,
            **workers,
        },
        valid_loader_kwargs={"batch_sampler": make_batches(valid_set, hparams, "valid"), **workers},
    )


def _test(brain, hparams, split, run):
    """Test on one split and write the results."""
    data = read_manifests([Path(hparams["manifest_folder"]) / f"{split}.csv"])
    test_set = make_dataset(data, brain.tokenizer, hparams)
    batches = make_batches(test_set, hparams, "test")
    reset_peak_memory(brain.device)
    brain.evaluate(
        test_set,
        test_loader_kwargs={"batch_sampler": batches, "num_workers": hparams["num_workers"]},
    )
    run_on_main(_write_results, [brain, hparams, split, run])


def _write_results(brain, hparams, split, run):
    """Write what a test gave, log it, and print it in a line."""
    summary_mixing = hparams["attention_type"] == "SummaryMixing"
    info = {
        **run,
        "hours_audio": brain.seconds_audio / 3600,
        "parameters": sum(p.numel() for p in hparams["model"].parameters()),
        "seconds": brain.seconds,
        "peak_memory_mb": peak_memory_mb(brain.device),
        "seed": hparams["seed"],
        "encoder": hparams["encoder_module"],
        "mixer": hparams["attention_type"],
        "preset": hparams["mixer_preset"] if summary_mixing else None,
        "decoding": _decoding(hparams),
        "device": str(brain.device),
        "epochs": max(ckpt.meta["epoch"] for ckpt in brain.tested_checkpoints),
        "checkpoints": [ckpt.path.name for ckpt in brain.tested_checkpoints],
    }
    file = write_test_results(
        hparams["results_folder"], split, brain.ids, brain.references, brain.hypotheses, info
    )
    hparams["train_logger"].log_stats({"test": split}, test_stats=brain.test_stats)
    stats = brain.test_stats
    print(f"{split}: WER {stats['WER']:.2f} %, CER {stats['CER']:.2f} %, details in {file}")


def _decoding(hparams):
    """Describe the decoding of test sets; None for what the method does not use."""
    method = hparams["test_decoding"]
    lm_source = hparams["lm_source"]
    return {
        "method": method,
        "beam": None if method == "ctc_greedy" else hparams["test_beam_size"],
        "ctc_weight": hparams["ctc_weight_decode"] if method == "joint_beam" else None,
        "lm_source": lm_source,
        "lm_weight": None if lm_source is None else hparams["lm_weight"],
    }
