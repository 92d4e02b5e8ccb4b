"""Page about a run: ``summarymixing-report RUN`` writes one HTML file that needs no other.

Losses and error rates over training, scores of the tests, errors by length, speaker and word, and
the worst utterances, aligned and to be listened to.
"""

import argparse
import base64
import io
import sys
from html import escape
from pathlib import Path

import soundfile

from summarymixing_sb.data.audio import read_audio, read_segment
from summarymixing_sb.evaluation.scoring import ERROR_RATES
from summarymixing_sb.files import atomic_open
from summarymixing_sb.report.charts import rates_by_length, training_curves
from summarymixing_sb.report.record import NO_WORD, read_run

SCORES = {
    "wer": "WER, %",
    "wer_normalized": "WER normalised, %",
    "cer": "CER, %",
    "accuracy": "accuracy, %",
    "intent_accuracy": "intent accuracy, %",
    "slu_f1": "SLU-F1, %",
}
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem;
  color: #1a1a1a; background: #fff; }
h1, h2, h3 { line-height: 1.2; margin-top: 2rem; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { border-bottom: 1px solid #ccc; padding: .25rem .75rem; text-align: left; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
.columns { display: flex; flex-wrap: wrap; gap: 0 3rem; align-items: flex-start; }
svg { max-width: 100%; height: auto; }
.utterance { border-top: 1px solid #ccc; padding: .75rem 0; overflow-x: auto; }
.utterance table { margin: .25rem 0; }
.utterance td { border: 0; padding: 0 .35rem; white-space: nowrap; }
.wrong { background: #fbd0d0; } .missing { background: #fde7b3; } .added { background: #cfe4ff; }
audio { height: 2rem; vertical-align: middle; }
pre { background: #f4f4f4; padding: 1rem; overflow-x: auto; font-size: .85rem; }
.note { color: #555; }
"""


def main(argv=None):
    """Write the page that the command line asks for.

    Parameters
    ----------
    argv : list of str, optional
        Arguments; those of the process if None.

    Returns
    -------
    int
        The exit status.
    """
    parser = argparse.ArgumentParser(
        prog="summarymixing-report",
        description="Write one HTML file about a run: curves, scores, errors, worst utterances.",
    )
    parser.add_argument("run", metavar="RUN", help="folder of a training, its output_folder")
    parser.add_argument("--results", help="folder of the result files (the run's results_folder)")
    parser.add_argument("--output", help="HTML file (RUN/report.html)")
    parser.add_argument(
        "--utterances", type=int, default=20, help="worst ones of each test set (%(default)s)"
    )
    options = parser.parse_args(argv)
    output = Path(options.output or Path(options.run) / "report.html")
    try:
        if options.utterances < 0:
            raise ValueError(f"--utterances: give 0 or more, not {options.utterances}")
        text = page(read_run(options.run, options.results), options.utterances)
        with atomic_open(output) as file:
            file.write(text)
    except ModuleNotFoundError as error:
        print(f"error: {error}: pip install matplotlib", file=sys.stderr)
        return 2
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(output)
    return 0


def page(run, most=20):
    """Write the page of a run.

    Parameters
    ----------
    run : summarymixing_sb.report.record.RunRecord
    most : int
        Worst utterances of each test set that are shown, with their sound.

    Returns
    -------
    str
        HTML.
    """
    settings = run.settings
    title = f"{settings['task']}: {settings['encoder_module']} with {settings['attention_type']}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        f"<p class=note>{escape(str(run.folder))}</p>",
        _scores(run.tests),
        "<h2>Training</h2>",
        training_curves(run.epochs) if run.epochs else "<p>No epoch has ended.</p>",
        _last_epoch(run.epochs),
        *(_test(test, settings["sample_rate"], most) for test in run.tests if test.utterances),
        "<h2>Settings</h2>",
        _versions(run.tests),
        f"<details><summary>hyperparams.yaml</summary><pre>{escape(run.yaml)}</pre></details>",
    ]
    head = f"<meta charset=utf-8><title>{escape(title)}</title><style>{STYLE}</style>"
    head += '<meta name=viewport content="width=device-width">'
    body = "\n".join(parts)
    return f"<!doctype html>\n<html lang=en><head>{head}</head>\n<body>{body}</body></html>\n"


def _table(head, rows, numbers=()):
    """Write a table; the columns in `numbers` are set to the right."""

    def line(cells, tag):
        kinds = (" class=n" if place in numbers else "" for place in range(len(cells)))
        return "".join(f"<{tag}{kind}>{cell}</{tag}>" for cell, kind in zip(cells, kinds))

    body = "".join(f"<tr>{line(row, 'td')}</tr>" for row in rows)
    return f"<table><tr>{line(head, 'th')}</tr>{body}</table>"


def _scores(tests):
    if not tests:
        return "<p>No test of this run has ended.</p>"
    keys = [key for key in SCORES if any(test.record.get(key) is not None for test in tests)]
    rows = []
    for test in tests:
        record, decoding = test.record, test.record.get("decoding") or {}
        how = [str(decoding.get("method") or "")]
        how += [f"beam {decoding['beam']}"] if decoding.get("beam") else []
        how += [f"LM {decoding['lm_weight']}"] if decoding.get("lm_source") else []
        rtfx = record.get("rtfx") or 1 / record["real_time_factor"]
        cells = [escape(test.name), *(_score(record, key) for key in keys)]
        rows.append([*cells, record["utterances"], f"{rtfx:.0f}", escape(", ".join(how))])
    head = ["test set", *(SCORES[key] for key in keys), "utterances", "RTFx", "decoding"]
    note = "<p class=note>In brackets: the 95 % interval over utterances, by bootstrap.</p>"
    return _table(head, rows, range(1, len(keys) + 3)) + note


def _score(record, key):
    if record.get(key) is None:
        return ""
    interval = record.get(f"{key}_interval")
    return f"{record[key]:.2f}" + (f" [{interval[0]:.2f}, {interval[1]:.2f}]" if interval else "")


def _last_epoch(epochs):
    if not epochs:
        return ""
    shown = ", ".join(f"{escape(name)} {value:g}" for name, value in epochs[-1].items())
    return f"<p class=note>Last epoch: {shown}</p>"


def _test(test, sample_rate, most):
    """Show the errors of a test set."""
    pairs = {kind: test.confusions(kind) for kind in ("substitutions", "deletions", "insertions")}
    tables = []
    for kind, found in pairs.items():
        names = {"substitutions": ["said", "heard"], "deletions": ["said"], "insertions": ["heard"]}
        rows = [
            [*(escape(word) for word in pair if word != NO_WORD), count] for pair, count in found
        ]
        head = [*names[kind], "times"]
        tables.append(
            f"<div><h3>{kind.capitalize()}</h3>{_table(head, rows, [len(head) - 1])}</div>"
        )
    speakers = [
        [escape(speaker), count, words, f"{100 * errors / max(words, 1):.2f}"]
        for speaker, count, words, errors in test.by_speaker()
    ]
    worst = test.worst(most)
    unit = test.record.get("error_unit", "word")
    rate = f"{ERROR_RATES[unit]}, %"
    return "\n".join(
        [
            f"<h2>{escape(test.name)}</h2>",
            "<div class=columns>",
            f"<div><h3>By length</h3>{rates_by_length(test.utterances, unit)}</div>",
            "<div><h3>By speaker</h3>",
            _table(["speaker", "utterances", f"{unit}s", rate], speakers[:30], [1, 2, 3]),
            f"<p class=note>{len(speakers)} speakers, the worst first.</p></div>",
            *tables,
            "</div>",
            f"<h3>The worst {len(worst)} utterances</h3>",
            "<p class=note>Above what was said, below what was heard: "
            f"<span class=wrong>another {unit}</span>, <span class=missing>none</span>, "
            "<span class=added>one too many</span>.</p>",
            *(_utterance(utterance, sample_rate, unit) for utterance in worst),
        ]
    )


def _utterance(utterance, sample_rate, unit):
    """Show an utterance, its words or characters below each other, and its sound."""
    kinds = []
    for said, heard in utterance.alignment:
        kind = "missing" if heard == NO_WORD else "added" if said == NO_WORD else "wrong"
        kinds.append("" if said == heard else f" class={kind}")
    lines = zip(*utterance.alignment)
    rows = "".join(
        "<tr>"
        + "".join(f"<td{kind}>{escape(word)}</td>" for kind, word in zip(kinds, line))
        + "</tr>"
        for line in lines
    )
    words = len(utterance.reference)
    return (
        f"<div class=utterance>{_sound(utterance, sample_rate)} <b>{escape(utterance.id)}</b> "
        f"<span class=note>{utterance.errors} errors, {words} {unit}s</span>"
        f"<table>{rows}</table></div>"
    )


def _sound(utterance, sample_rate):
    """Put a recording into the page, as FLAC."""
    try:
        if utterance.start or utterance.end:
            end = float(utterance.end) if utterance.end else None
            signal = read_segment(utterance.audio, sample_rate, float(utterance.start or 0), end)
        else:
            signal = read_audio(utterance.audio, sample_rate)
    except (OSError, RuntimeError, ValueError):
        return "<span class=note>(the recording is not there)</span>"
    stream = io.BytesIO()
    soundfile.write(stream, signal.clamp(-1, 1).numpy(), sample_rate, format="FLAC")
    data = base64.b64encode(stream.getvalue()).decode()
    return f'<audio controls preload=none src="data:audio/flac;base64,{data}"></audio>'


def _versions(tests):
    if not tests:
        return ""
    record = tests[0].record
    machine = record["machine"]
    rows = [
        ["command", f"<code>{escape(record['command'])}</code>"],
        ["parameters", f"{record['parameters'] / 1e6:.2f} M"],
        ["seed", record["seed"]],
        ["training", f"{record.get('training_seconds', 0) / 60:.1f} minutes"],
        ["machine", escape(str(machine.get("gpu") or f"{machine['cores']} x {machine['cpu']}"))],
        ["commit", escape(str(record["commit"]))],
        ["date", escape(record["date"])],
        *([escape(name), escape(str(version))] for name, version in record["versions"].items()),
    ]
    return _table(["", ""], rows)


if __name__ == "__main__":
    sys.exit(main())
