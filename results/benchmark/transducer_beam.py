"""Time of the transducer's beam search, ours of a batch and SpeechBrain's of single utterances.

``python -m results.benchmark.transducer_beam RUN MANIFEST.csv --output FILE.csv``

On one thread, on what the encoder of a trained run gives, which is computed before.
"""

import argparse
from statistics import median

import torch
from speechbrain.decoders.transducer import TransducerBeamSearcher
from torch.nn.utils.rnn import pad_sequence

from results.benchmark.rows import machine_columns, write_rows
from results.benchmark.timing import interleave
from summarymixing_sb.data.audio import read_audio
from summarymixing_sb.data.manifests import read_manifest
from summarymixing_sb.decoding.searchers import MIN_BEAM_LOG_PROB, MIN_PIECE_LOG_PROB
from summarymixing_sb.decoding.transducer_beam import TransducerBeamSearch
from summarymixing_sb.evaluation import score
from summarymixing_sb.inference.recogniser import Recogniser
from summarymixing_sb.inference.run import load_run

BEAMS, BATCHES, ROUNDS = (4, 10), (1, 20), 3


def make_theirs(modules, blank, beam):
    """SpeechBrain's search, from (B, T, J) and counts of frames to ids."""
    predictor = modules["predictor"]
    searcher = TransducerBeamSearcher(
        decode_network_lst=[predictor.embedding, predictor.lstm, modules["pred_lin"]],
        tjoint=modules["joint"],
        classifier_network=[modules["transducer_lin"]],
        blank_id=blank,
        beam_size=beam,
        nbest=1,
    )

    def search(encoded, frames):
        rows = (row[None, :count] for row, count in zip(encoded, frames))
        return [searcher.transducer_beam_search_decode(row)[0][0] for row in rows]

    return search


def make_ours(modules, blank, beam):
    """Our search in the same form."""
    searcher = TransducerBeamSearch(modules, blank, beam, MIN_PIECE_LOG_PROB, MIN_BEAM_LOG_PROB)
    return lambda encoded, frames: [found[0][0] for found in searcher(encoded, frames)]


@torch.no_grad()
def main(argv=None):
    """Measure and write a CSV file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run")
    parser.add_argument("manifest")
    parser.add_argument("--output", required=True)
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    run, items = load_run(options.run), read_manifest(options.manifest)
    signals = [read_audio(item["wav"], run.sample_rate) for item in items]
    found = Recogniser(run).encode(signals)
    encoded = [run.modules["enc_lin"](encoding.encoded) for encoding in found]
    references = [item["wrd"] for item in items]
    rows = []
    for beam in BEAMS:
        calls, texts = {}, {}
        for name, make in {"ours": make_ours, "SpeechBrain": make_theirs}.items():
            search = make(run.modules, run.hparams["blank_index"], beam)
            for size in BATCHES if name == "ours" else (1,):

                def call(key=(name, size), size=size, search=search, texts=texts):
                    written = []
                    for start in range(0, len(encoded), size):
                        part = encoded[start : start + size]
                        frames = [len(rows) for rows in part]
                        written += search(pad_sequence(part, batch_first=True), frames)
                    texts[key] = [run.tokenizer.decode(ids) for ids in written]

                calls[name, size] = call
        seconds, failures = interleave(calls, ROUNDS)
        assert not failures, failures
        theirs = median(seconds["SpeechBrain", 1])
        for (name, size), values in seconds.items():
            rows.append(
                {
                    **{"search": name, "beam": beam, "batch": size, "utterances": len(items)},
                    **{"seconds": f"{median(values):.2f}"},
                    "times_faster": f"{theirs / median(values):.1f}",
                    "wer": f"{score(references, texts[name, size])['wer']:.2f}",
                }
            )
            print(rows[-1], flush=True)
    about = machine_columns()
    write_rows(options.output, [{**row, **about} for row in rows])


if __name__ == "__main__":
    main()
