"""A whole experiment as a recipe's ``train.py`` runs it: prepare, train, test."""

import gc
import shlex
import sys
from pathlib import Path

import speechbrain as sb
import torch
from speechbrain.utils.distributed import (
    ddp_barrier,
    ddp_init_group,
    is_distributed_initialized,
    run_on_main,
)
from speechbrain.utils.logger import get_logger

from summarymixing_sb.data.batches import (
    filter_utterances,
    make_batches,
    make_dataset,
    read_manifests,
)
from summarymixing_sb.data.targets import Tokens
from summarymixing_sb.decoding.language_model import FILE_NAME, LM_FOLDER, SHAPE_FILE
from summarymixing_sb.files import keep_copy
from summarymixing_sb.hub import find_folder
from summarymixing_sb.models.adapters import insert_lora
from summarymixing_sb.models.checkpointer import Checkpointer
from summarymixing_sb.models.front_end import require_subsampling, unwrapped
from summarymixing_sb.training.checkpoints import RandomState, check_same_model
from summarymixing_sb.training.config import (
    check_settings,
    load_hparams,
    model_identity,
    parse_command_line,
    read_settings,
)
from summarymixing_sb.training.lock import locked
from summarymixing_sb.training.memory_check import longest_batches
from summarymixing_sb.training.pretrained import ENCODER, freeze, load_pretrained
from summarymixing_sb.training.schedules import LearningRate
from summarymixing_sb.training.signals import StopSignals, ignore_stop_signals
from summarymixing_sb.training.tasks import task_class
from summarymixing_sb.training.testing import run_tests

logger = get_logger(__name__)

#: Keys that every dataset's preparation takes.
PREPARATION = (
    *("train_splits", "valid_splits", "test_splits"),
    *("allow_incomplete_evaluation", "allow_overlap"),
)


def run_experiment(argv, prepare):
    """Prepare data, train a model or go on training it, and test it.

    Parameters
    ----------
    argv : list of str
        Command line after the script: a YAML file, then ``--key=value`` for its keys and for
        SpeechBrain's run options (``--device``, ``--precision``, ``--test_only`` ...). The key
        ``task`` says what is learned.
    prepare : callable
        ``prepare(hparams)`` writes ``train.csv`` and one ``<split>.csv`` per split of
        ``valid_splits`` and ``test_splits`` into the folder ``manifest_folder``. Called on the main
        process.

    Returns
    -------
    EncoderBrain
        The Brain after testing.

    Raises
    ------
    FileNotFoundError, ValueError
        For input that cannot work, naming the key or the file; most of it before preparation.
    RuntimeError
        If another run writes into the same output folder.
    SystemExit
        With status 75 after SIGTERM or SIGUSR1, 130 after SIGINT; training saves before it.
    """
    hparams_file, run_opts, overrides = parse_command_line(argv)
    settings = read_settings(hparams_file, overrides)
    task = task_class(settings["task"])
    check_settings(settings, task, overrides)
    ddp_init_group(run_opts)
    with StopSignals() as signals, locked(settings["output_folder"]):
        brain = _run(argv, prepare, task, hparams_file, run_opts, overrides, signals)
    leave_group(brain)
    return brain


def preparation(prepare, *more):
    """Make what :func:`run_experiment` calls of a dataset's function.

    Parameters
    ----------
    prepare : callable
        Takes ``data_folder``, ``save_folder`` and, by their names in YAML files, lists of splits
        and the keys `allow_incomplete_evaluation` and `allow_overlap`.
    *more : str
        Other keys that it takes.

    Returns
    -------
    callable
        From hyperparameters to what `prepare` returns.

    Examples
    --------
    >>> def prepare(data_folder, save_folder, language, **splits):
    ...     return data_folder, save_folder, language, splits
    >>> hparams = {"data_folder": "cv", "manifest_folder": "run/manifests", "language": "nl"}
    >>> preparation(prepare, "language")({**hparams, "test_splits": ["test"], "seed": 1})
    ('cv', 'run/manifests', 'nl', {'test_splits': ['test']})
    """

    def prepare_by(hparams):
        # YAML files of before 0.2 have no allow_overlap
        keys = [key for key in (*PREPARATION, *more) if key in hparams]
        given = {key: hparams[key] for key in keys}
        return prepare(hparams["data_folder"], save_folder=hparams["manifest_folder"], **given)

    return prepare_by


def leave_group(brain):
    """End what connects the processes of a run.

    A thread of the group may still give tensors back to Python when that ends, which then aborts.
    The group is gone only once no DistributedDataParallel holds it.

    Parameters
    ----------
    brain : speechbrain.Brain
        Its modules are taken out of DistributedDataParallel.
    """
    if not is_distributed_initialized():
        return
    for name, module in brain.modules.items():
        brain.modules[name] = unwrapped(module)
    ddp_barrier()
    gc.collect()
    torch.distributed.destroy_process_group()


def _run(argv, prepare, task, hparams_file, run_opts, overrides, signals):
    """Run an experiment that alone writes into its folder."""
    given_overrides = list(overrides)
    settings = read_settings(hparams_file, overrides)
    targets = task.load_targets(settings, overrides)
    settings = read_settings(hparams_file, overrides)
    if targets is not None:
        targets.check(settings)

    hparams = _build(hparams_file, overrides)
    require_subsampling(hparams["modules"]["CNN"])
    LearningRate(hparams["lr_annealing"])
    _make_folder(hparams, hparams_file, overrides, run_opts)
    identity = model_identity(settings)
    run_on_main(check_same_model, [hparams["checkpointer"], identity])
    if hparams.get("pretrained_model") and not run_opts.test_only:
        find_folder(hparams["pretrained_model"])  # on the hub, it is fetched before data are read

    run_on_main(prepare, [hparams])
    if targets is None:
        targets = task.build_targets(hparams)
        if targets.counted and "output_neurons" not in given_overrides:
            overrides["output_neurons"] = targets.size
            settings = read_settings(hparams_file, overrides)
            identity = model_identity(settings)
            hparams = _build(hparams_file, overrides)
            _make_folder(hparams, hparams_file, overrides, run_opts)
        targets.check(settings)
    identity["targets"] = targets.digest
    checkpointer = hparams["checkpointer"]
    run_on_main(check_same_model, [checkpointer, identity])
    run_on_main(_keep_inputs, [hparams, targets])
    checkpointer.add_recoverable("random", RandomState(), optional_load=True)

    brain = task(
        targets,
        modules=hparams["modules"],
        opt_class=hparams["opt_class"],
        hparams=hparams,
        run_opts=run_opts,
        checkpointer=checkpointer,
    )
    brain.stop_signals = signals
    freeze(brain.model, hparams.get("frozen_parts", ()))
    brain.prepare_decoding()
    if not brain.test_only:
        _train(brain, hparams)
    run = {"command": shlex.join(["python", sys.argv[0], *argv]), "yaml": str(hparams_file)}
    run["overrides"] = {key: settings[key] for key in given_overrides}
    run_tests(brain, hparams, run)
    return brain


def _build(hparams_file, overrides):
    """Build what a YAML file describes."""
    hparams = load_hparams(hparams_file, overrides)
    # YAML files of before 0.2 have SpeechBrain's
    hparams["checkpointer"] = Checkpointer.adopt(hparams["checkpointer"])
    return hparams


def _make_folder(hparams, hparams_file, overrides, run_opts):
    """Create the experiment's folder; testing leaves the record of how it was trained."""
    folder = Path(hparams["output_folder"])
    keep = run_opts.test_only and (folder / "hyperparams.yaml").is_file()
    sb.create_experiment_directory(
        experiment_directory=str(folder),
        hyperparams_to_save=None if keep else hparams_file,
        overrides=overrides,
    )


def _keep_inputs(hparams, targets):
    """Copy what decoding needs into the run's folder, so that the folder can be moved."""
    if isinstance(targets, Tokens):
        keep_copy(targets.file, hparams["tokenizer_folder"])
    for name in (FILE_NAME, SHAPE_FILE):
        file = Path(str(hparams.get("lm_source"))) / name
        if file.is_file():
            keep_copy(file, Path(hparams["save_folder"]) / LM_FOLDER)


def _train(brain, hparams):
    """Read the training data and fit."""
    manifests = Path(hparams["manifest_folder"])
    data = filter_utterances(read_manifests([manifests / "train.csv"]), brain.targets, hparams)
    train_set = make_dataset(data, brain.targets, hparams, train=True)
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
    longest = longest_batches(list(batches), durations, brain.targets.lengths(data.values()))
    slowest = min(hparams["speed_changes"] or [100]) / 100
    brain.longest_batches = (train_set, longest, slowest)
    # the Brain then draws new batches for each epoch, the same ones when it is resumed
    brain.train_sampler = batches

    valid_set = make_dataset(
        read_manifests(manifests / f"{split}.csv" for split in hparams["valid_splits"]),
        brain.targets,
        hparams,
    )
    if not hparams["checkpointer"].list_checkpoints():
        _start_from_another(brain, hparams)
    if hparams.get("lora_rank"):
        count = insert_lora(brain.modules["Transformer"], hparams["lora_rank"])
        logger.info(f"LoRA: adapters of rank {hparams['lora_rank']} in {count} layers")
    workers = {"num_workers": hparams["num_workers"], "worker_init_fn": ignore_stop_signals}
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


def _start_from_another(brain, hparams):
    """Take the parameters of another model, where the YAML file names one."""
    for key in ("pretrained_model", "pretrained_encoder"):
        if not hparams.get(key):
            continue
        parts = ENCODER if key == "pretrained_encoder" else hparams["pretrained_parts"]
        own = (brain.model, hparams["normalize"], hparams["output_folder"])
        load_pretrained(key, hparams[key], *own, parts, brain.targets.digest)
