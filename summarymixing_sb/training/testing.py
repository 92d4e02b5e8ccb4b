"""The tests of an experiment: each test set under each condition, and the files about it."""

from pathlib import Path

from speechbrain.utils.distributed import run_on_main

from summarymixing_sb.data.batches import make_batches, make_dataset, read_manifests
from summarymixing_sb.data.long_form import join_recordings
from summarymixing_sb.data.manifests import annotated_counts, annotation_files
from summarymixing_sb.evaluation import peak_memory_mb, reset_peak_memory, write_utterances
from summarymixing_sb.registry import mixer_names


def run_tests(brain, hparams, run):
    """Test on every set of `test_splits`, and write the results.

    Parameters
    ----------
    brain : summarymixing_sb.training.brain.EncoderBrain
    hparams : dict
    run : dict
        ``command``, ``yaml`` and ``overrides``, for the results.
    """
    for split in hparams["test_splits"]:
        _test(brain, hparams, split, run)
    run_on_main(brain.compare_tests, [hparams["results_folder"]])


def _test(brain, hparams, split, run):
    """Test on one split, under every condition, and write the results."""
    data = read_manifests([Path(hparams["manifest_folder"]) / f"{split}.csv"])
    if brain.long_form:
        data = join_recordings(data, brain.targets.column)
    test_set = make_dataset(data, brain.targets, hparams)
    batches = make_batches(test_set, hparams, "test")
    loading = {"batch_sampler": batches, "num_workers": hparams["num_workers"]}
    for condition in brain.test_conditions:
        brain.test_condition = condition
        reset_peak_memory(brain.device)
        brain.evaluate(test_set, test_loader_kwargs=loading)
        run_on_main(_write_results, [brain, hparams, split, run, data])


def _write_results(brain, hparams, split, run, data):
    """Write what a test gave, log it, and print it in a line."""
    mixers = [*mixer_names(hparams["attention_type"]), hparams.get("decoder_attention_type")]
    checkpoints = brain.tested_checkpoints
    counts = {} if brain.long_form else annotated_counts(hparams["manifest_folder"])
    info = {
        **run,
        "dataset": Path(run["yaml"]).resolve().parent.name,
        "task": hparams["task"],
        "annotated_utterances": counts.get(split),
        "annotations": annotation_files(hparams["manifest_folder"]).get(split),
        "hours_audio": brain.seconds_audio / 3600,
        "parameters": sum(p.numel() for p in brain.model.parameters()),
        "seconds": brain.seconds,
        "training_seconds": max(ckpt.meta.get("training_seconds", 0) for ckpt in checkpoints),
        "peak_memory_mb": peak_memory_mb(brain.device),
        "seed": hparams["seed"],
        "encoder": hparams["encoder_module"],
        "mixer": hparams["attention_type"],
        "decoder_mixer": hparams.get("decoder_attention_type"),
        "preset": hparams.get("mixer_preset") if "SummaryMixing" in mixers else None,
        "device": str(brain.device),
        "epochs": max(ckpt.meta["epoch"] for ckpt in checkpoints),
        "checkpoints": [ckpt.path.name for ckpt in checkpoints],
    }
    file, summary = brain.write_results(hparams["results_folder"], split, info)
    name = brain.test_name(split)
    rows = (
        {
            **{"audio_filepath": data[key]["wav"], "duration": data[key]["duration"]},
            **{"time": brain.times[key], "text": reference, "pred_text": hypothesis},
        }
        for key, reference, hypothesis in zip(brain.ids, brain.references, brain.hypotheses)
    )
    if brain.ids:
        write_utterances(hparams["results_folder"], name, rows)
    hparams["train_logger"].log_stats({"test": name}, test_stats=brain.test_stats)
    print(f"{name}: {summary}, details in {file}")
