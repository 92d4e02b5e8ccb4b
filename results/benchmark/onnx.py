"""Time of onnxruntime against torch, and what int8 costs in error rate.

``python -m results.benchmark.onnx RUN MANIFEST.csv --output results/onnx.csv``

From waveforms to log-probabilities of CTC, on one thread: the run's model, and a random one of
``hparams/LibriSpeech/conformer_ctc.yaml``. Error rates are of the run's greedy CTC decoding.
"""

import argparse
import tempfile
from pathlib import Path
from statistics import median

import numpy as np
import torch
from kaldialign import bootstrap_wer_ci

from results.benchmark.rows import machine_columns, write_rows
from results.benchmark.timing import interleave
from summarymixing_sb.data.audio import read_audio
from summarymixing_sb.data.manifests import read_manifest
from summarymixing_sb.evaluation import score
from summarymixing_sb.export.onnx import export_onnx
from summarymixing_sb.hyperparameters import load_hparams
from summarymixing_sb.inference.onnx import INT8_FILE, ONNX_FILE, OnnxModel, OnnxRecogniser
from summarymixing_sb.inference.recogniser import Recogniser
from summarymixing_sb.inference.run import TrainedRun, load_run
from summarymixing_sb.lengths import subsampling_factor
from summarymixing_sb.models.encode import encode
from summarymixing_sb.models.front_end import FrontEnd

ROOT = Path(__file__).resolve().parents[2]
PAPER = ROOT / "hparams" / "LibriSpeech" / "conformer_ctc.yaml"
SECONDS, ROUNDS = (10, 40), 7


def random_run():
    """Make a run of the papers' size whose weights nobody trained."""
    torch.manual_seed(0)
    hparams = load_hparams(PAPER, {"data_folder": ".", "output_folder": tempfile.mkdtemp()})
    modules = {name: module.eval() for name, module in hparams["modules"].items()}
    rate, hop_ms = hparams["sample_rate"], hparams["hop_length"]
    modules["normalize"].glob_mean = torch.zeros(hparams["n_mels"])
    modules["normalize"].glob_std = torch.full((hparams["n_mels"],), 10.0)
    hop = rate * hop_ms // 1000
    front_end = FrontEnd(hparams["compute_features"], modules["normalize"], modules["CNN"], hop)
    seconds = hop_ms / 1000 * subsampling_factor(modules["CNN"])
    return TrainedRun(
        ROOT, hparams, modules, front_end.eval(), None, rate, seconds, torch.device("cpu")
    )


def times(run, folder, name):
    """Measure the three in turn; a row for each length and each of them."""
    models = {"onnxruntime": OnnxModel(folder / ONNX_FILE, threads=1)}
    models["onnxruntime int8"] = OnnxModel(folder / INT8_FILE, threads=1)
    parameters = sum(p.numel() for module in run.modules.values() for p in module.parameters())
    for seconds in SECONDS:
        signal = 0.1 * torch.randn(1, seconds * run.sample_rate)
        samples = torch.tensor([signal.size(1)])

        @torch.no_grad()
        def by_torch(signal=signal, samples=samples):
            encoded, _ = encode(run.front_end, run.modules["Transformer"], signal, samples)
            return run.modules["ctc_lin"](encoded).log_softmax(-1)

        calls = {"torch": by_torch}
        for kind, model in models.items():
            arguments = signal.numpy(), samples.numpy()
            calls[kind] = lambda model=model, arguments=arguments: model(*arguments)
        expected = by_torch().numpy()
        measured, failures = interleave(calls, ROUNDS)
        assert not failures, failures
        baseline = median(measured["torch"])
        for kind, values in measured.items():
            output = expected if kind == "torch" else calls[kind]()[0]
            error = np.linalg.norm(output - expected) / np.linalg.norm(expected)
            yield {
                **{"model": name, "parameters_m": f"{parameters / 1e6:.1f}", "seconds": seconds},
                **{"by": kind, "ms": f"{1000 * median(values):.1f}"},
                **{"ratio": f"{median(values) / baseline:.2f}", "relative_error": f"{error:.1e}"},
            }


def error_rates(run, manifest):
    """Recognise a test set by each; a row for each of them, with the paired interval."""
    items = read_manifest(manifest)
    signals = [read_audio(item["wav"], run.sample_rate) for item in items]
    references = [item["wrd"].split() for item in items]
    texts = {}
    for kind, recogniser in (
        ("torch", Recogniser(run)),
        ("onnxruntime", OnnxRecogniser(run, "float32")),
        ("onnxruntime int8", OnnxRecogniser(run, "int8")),
    ):
        texts[kind] = [[word.word for word in words] for words in recogniser.transcribe(signals)]
    for kind, found in texts.items():
        both = bootstrap_wer_ci(references, texts["torch"], found)
        yield {
            "by": kind,
            "wer": f"{score(references, found)['wer']:.2f}",
            "different_texts": sum(a != b for a, b in zip(texts["torch"], found)),
            "probability_better": f"{both['p_s2_improv_over_s1']:.3f}",
            "wer_interval": f"{100 * both['system2']['ci95min']:.2f} to "
            f"{100 * both['system2']['ci95max']:.2f}",
        }


def main(argv=None):
    """Measure and write two CSV files, the second one of error rates."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run")
    parser.add_argument("manifest")
    parser.add_argument("--output", required=True)
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, run in (("demo", load_run(options.run)), ("papers' size", random_run())):
            export_onnx(run, folder, int8=True)
            rows += times(run, Path(folder), name)
            if name == "demo":
                run.folder = Path(folder)
                rates = list(error_rates(run, options.manifest))
    about = machine_columns()
    write_rows(options.output, [{**row, **about} for row in rows])
    output = Path(options.output)
    write_rows(output.with_name(f"{output.stem}_wer.csv"), [{**row, **about} for row in rates])
    for row in [*rows, *rates]:
        print(row)


if __name__ == "__main__":
    main()
