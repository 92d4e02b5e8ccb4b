"""How often a joint beam search differs whose CTC scores only the best pieces of the others.

``python -m results.benchmark.ctc_candidates RUN MANIFEST.csv --output results/ctc_candidates.csv``

SpeechBrain scores the candidates of each hypothesis: the beam times a scale. A random model of the
papers' size is searched as well, one utterance for each seed.
"""

import argparse

import torch
from speechbrain.decoders import CTCScorer, ScorerBuilder

from results.benchmark.rows import machine_columns, write_rows
from results.benchmark.search import CANDIDATES, OURS, make_model, make_search
from summarymixing_sb.data.audio import read_audio
from summarymixing_sb.data.manifests import read_manifest
from summarymixing_sb.evaluation import score
from summarymixing_sb.inference.recogniser import Recogniser
from summarymixing_sb.inference.run import load_run

SCALES = (1.5, 4.0)
SEEDS = range(5)


def of_run(folder, manifest):
    """Search the utterances of a manifest with a trained run; a row for each scale."""
    run, items = load_run(folder), read_manifest(manifest)
    signals = [read_audio(item["wav"], run.sample_rate) for item in items]
    references = [item["wrd"] for item in items]
    recogniser = Recogniser(run, "joint_beam")
    searcher = recogniser.decoder.searcher
    own, texts = searcher.scorer, {}
    for scale in (None, *SCALES):
        searcher.scorer = own
        if scale is not None:
            ctc = CTCScorer(run.modules["ctc_lin"], run.hparams["blank_index"], searcher.eos_index)
            searcher.scorer = ScorerBuilder({"ctc": own.weights["ctc"]}, [], [ctc], scale)
        found = recogniser.transcribe(signals)
        texts[scale] = [" ".join(word.word for word in words) for words in found]
    for scale in SCALES:
        yield {
            **{"model": run.folder.parts[-3], "beam": searcher.beam_size, "scale": scale},
            "utterances": len(items),
            "different": sum(a != b for a, b in zip(texts[None], texts[scale])),
            "wer_all": f"{score(references, texts[None])['wer']:.2f}",
            "wer_candidates": f"{score(references, texts[scale])['wer']:.2f}",
        }


@torch.no_grad()
def of_random_models(beam):
    """Search one utterance with each of some random models."""
    found = []
    for seed in SEEDS:
        model, encoded = make_model(seed)
        searches = [make_search(way, beam, False, model) for way in (OURS, CANDIDATES)]
        found.append([list(map(int, x(encoded, torch.ones(1))[0][0])) for x in searches])
    return {
        **{"model": "random, papers' size", "beam": beam, "scale": 1.5},
        **{
            "utterances": len(found),
            "different": sum(a != b for a, b in found),
            "wer_all": "",
            "wer_candidates": "",
        },
    }


def main(argv=None):
    """Compare and write a CSV file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run")
    parser.add_argument("manifest")
    parser.add_argument("--output", required=True)
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    rows = [*of_run(options.run, options.manifest), of_random_models(10)]
    about = machine_columns()
    write_rows(options.output, [{**row, **about} for row in rows])


if __name__ == "__main__":
    main()
