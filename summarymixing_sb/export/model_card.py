"""The model card of an exported model, from the results of its tests."""

import json
from pathlib import Path

#: Error rates and accuracies of a result file, as the card names them; in percent.
SCORES = {
    "wer": "WER",
    "cer": "CER",
    "accuracy": "accuracy",
    "intent_accuracy": "intent accuracy",
    "slu_f1": "SLU-F1",
}
TASKS = {
    "asr": ("speech recognition", "automatic-speech-recognition"),
    "transducer": ("streaming speech recognition", "automatic-speech-recognition"),
    "slu": ("spoken language understanding", "automatic-speech-recognition"),
    "intent": ("intent classification", "audio-classification"),
    "classification": ("classification of utterances", "audio-classification"),
}
USE = {
    "EncoderDecoderASR": """\
from speechbrain.inference.ASR import EncoderDecoderASR

model = EncoderDecoderASR.from_hparams(source={name!r})  # decoding of the tests: {decoding}
print(model.transcribe_file("speech.wav"))
""",
    "EncoderASR": """\
from speechbrain.inference.ASR import EncoderASR

model = EncoderASR.from_hparams(source={name!r})  # CTC, the best piece of each frame
print(model.transcribe_file("speech.wav"))
""",
    "StreamingASR": """\
from speechbrain.inference.ASR import StreamingASR
from speechbrain.utils.dynamic_chunk_training import DynChunkTrainConfig

model = StreamingASR.from_hparams(source={name!r})
chunks = DynChunkTrainConfig(8, 4)  # frames of a chunk, chunks before it that it sees
context = model.make_streaming_context(chunks)
for samples in stream:  # (1, model.get_chunk_size_frames(chunks)); at the end a chunk of zeros
    print(model.transcribe_chunk(context, samples)[0], end="")
""",
    "UtteranceClassifier": """\
from speechbrain.inference.interfaces import foreign_class

model = foreign_class(
    source={name!r}, pymodule_file="custom_interface.py", classname="UtteranceClassifier"
)
probabilities, labels = model.classify_file("speech.wav")
""",
    "onnx": """\
import numpy, onnxruntime, sentencepiece, soundfile  # no torch: CTC, the best piece of each frame

signal, rate = soundfile.read("speech.wav", dtype="float32")  # {rate} Hz, one channel
model = onnxruntime.InferenceSession("{name}/model.onnx")
tokenizer = sentencepiece.SentencePieceProcessor(model_file="{name}/tokenizer.ckpt")
inputs = {{"signals": signal[None], "samples": numpy.array([len(signal)])}}
best = model.run(["log_probs"], inputs)[0][0].argmax(-1).tolist()
pairs = zip([{blank}, *best], best)
ids = [piece for before, piece in pairs if piece not in (before, {blank})]
print(tokenizer.decode(ids))
""",
}


def read_results(folder):
    """Read the results of a run's tests.

    Parameters
    ----------
    folder : str or Path
        Its ``results_folder``; it need not exist.

    Returns
    -------
    list of dict
    """
    found = []
    for file in sorted(Path(folder).glob("*.json")):
        record = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(record, dict) and "test_set" in record:
            found.append(record)
    return found


def model_card(run, results, name, licence, epochs, onnx=False):
    """Write the card: what it is, what it was trained on and scores, how to use it, its limits.

    Parameters
    ----------
    run : TrainedRun
    results : list of dict
        From :func:`read_results`.
    name : str
        Of the model, as a hub or a folder has it.
    licence : str
        As the hub names it, such as apache-2.0.
    epochs : list of int
        Of the checkpoints whose average the model is.
    onnx : bool
        Whether there is a graph, too.

    Returns
    -------
    str
        Markdown with the hub's metadata at its head.
    """
    settings = run.settings
    title, tag = TASKS[settings["task"]]
    parameters = sum(p.numel() for part in run.modules.values() for p in part.parameters())
    trained_on = settings.get("train_splits", [])
    dataset = next((record["dataset"] for record in results if record.get("dataset")), None)
    lines = [
        *("---", "library_name: speechbrain", f"pipeline_tag: {tag}", f"license: {licence}"),
        *("tags: [speech, SummaryMixing, summarymixing_sb]", "---", "", f"# {name}", ""),
        f"{title.capitalize()} by a {settings['encoder_module']} with {settings['attention_type']}"
        f" ({parameters / 1e6:.2f} M parameters), trained with"
        " [SpeechBrain](https://speechbrain.github.io) and summarymixing_sb.",
        "",
        "## Results",
        "",
        *_results_table(results),
        "",
        "## Use",
        "",
        "With the package summarymixing_sb installed, which SpeechBrain finds by the names in",
        f"`hyperparams.yaml`. Recordings of any rate are brought to {settings['sample_rate']} Hz.",
        "",
        *_usage(settings, name, onnx),
        "## Training",
        "",
        f"- data: {dataset or 'not named in the results'}, {', '.join(map(str, trained_on))}",
        f"- parameters: mean of the checkpoints after epochs {', '.join(map(str, epochs))}",
    ]
    if results:
        record = results[0]
        lines += [
            f"- seed {record['seed']}, {record['epochs']} epochs; "
            f"{record['training_seconds'] / 60:.1f} minutes on {_machine(record)}",
            f"- `{record['command']}`",
            "- versions: "
            + ", ".join(f"{key} {value}" for key, value in record["versions"].items() if value),
        ]
    lines += ["", "## Limits", "", *_limits(settings, results)]
    return "\n".join(lines) + "\n"


def _results_table(results):
    if not results:
        return ["No test of this model has been run."]
    columns = [key for key in SCORES if any(key in record for record in results)]
    rows = [["test set", *(f"{SCORES[key]}, %" for key in columns), "utterances", "decoding"]]
    for record in results:
        scores = [_score(record, key) for key in columns]
        rows.append([record["test_set"], *scores, str(record["utterances"]), _decoding(record)])
    table = ["| " + " | ".join(row) + " |" for row in rows]
    table.insert(1, "|" + "---|" * len(rows[0]))
    return [*table, "", "In brackets: the 95 % interval over utterances, by bootstrap."]


def _score(record, key):
    if key not in record:
        return ""
    text = f"{record[key]:.2f}"
    interval = record.get(f"{key}_interval")
    return text + (f" [{interval[0]:.2f}, {interval[1]:.2f}]" if interval else "")


def _decoding(record):
    decoding = record.get("decoding") or {}
    words = [decoding.get("method") or ""]
    if decoding.get("beam"):
        words.append(f"beam {decoding['beam']}")
    if decoding.get("lm_source"):
        words.append(f"language model of weight {decoding['lm_weight']}")
    return ", ".join(filter(None, words))


def _machine(record):
    machine = record["machine"]
    return machine.get("gpu") or f"{machine['cores']} cores of {machine['cpu']}"


def _usage(settings, name, onnx):
    """Give code for each interface that loads the model, and the command."""
    modules = settings["modules"]
    if "label_lin" in modules:
        kinds = ["UtteranceClassifier"]
    elif "transducer_lin" in modules:
        kinds = ["EncoderDecoderASR", "StreamingASR"]
    else:
        kinds = ["EncoderDecoderASR", "EncoderASR"]
    values = {
        **{"name": name, "decoding": settings.get("test_decoding")},
        **{"rate": settings["sample_rate"], "blank": settings.get("blank_index")},
    }
    lines = []
    for kind in [*kinds, *(["onnx"] if onnx else [])]:
        code = USE[kind].format(**values)
        lines += ["```python", *code.splitlines(), "```", ""]
    if "label_lin" not in modules:
        lines += ["Recordings of any length, word times and subtitles:", ""]
        lines += ["```bash", f"summarymixing-transcribe {name} speech.wav --format srt", "```", ""]
    if settings["task"] == "slu":
        lines += [
            "The text is an intent and a transcript with its entities marked;",
            "`summarymixing_sb.data.semantics.recover(text)` takes it apart.",
            "",
        ]
    return lines


def _limits(settings, results):
    lines = [
        f"- Trained on utterances of {settings['avoid_if_shorter_than']:g} to "
        f"{settings['avoid_if_longer_than']:g} seconds.",
        "- Sounds that are no speech may become words.",
    ]
    if not results:
        lines.append("- Nothing is known of its error rates.")
    return lines
