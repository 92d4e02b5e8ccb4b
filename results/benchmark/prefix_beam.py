"""Time of the CTC prefix beam search, ours of a batch and SpeechBrain's of single utterances.

``python -m results.benchmark.prefix_beam RUN MANIFEST.csv --output results/prefix_beam.csv``

On one thread, on the log-probabilities of a trained run, which are computed before.
"""

import argparse
from statistics import median

import torch
from speechbrain.decoders import CTCBeamSearcher
from torch.nn.utils.rnn import pad_sequence

from results.benchmark.rows import machine_columns, write_rows
from results.benchmark.timing import interleave
from summarymixing_sb.data.audio import read_audio
from summarymixing_sb.data.manifests import read_manifest
from summarymixing_sb.decoding.prefix_beam import PrefixBeamSearch
from summarymixing_sb.decoding.searchers import MIN_BEAM_LOG_PROB, MIN_PIECE_LOG_PROB
from summarymixing_sb.evaluation import score
from summarymixing_sb.inference.recogniser import Recogniser
from summarymixing_sb.inference.run import load_run

BEAMS, BATCHES, ROUNDS = (8, 32), (1, 20), 3
FIRST_SYMBOL = 0xF0000  # private use: SpeechBrain's search writes one character for each piece


def make_theirs(run, beam):
    """SpeechBrain's search with the same pruning, from (B, T, V) and (B,) to ids."""
    blank = run.hparams["blank_index"]
    symbols = [chr(FIRST_SYMBOL + index) for index in range(run.tokenizer.get_piece_size())]
    searcher = CTCBeamSearcher(
        blank_index=blank,
        vocab_list=symbols,
        space_token=symbols[blank],
        beam_size=beam,
        token_prune_min_logp=MIN_PIECE_LOG_PROB,
        beam_prune_logp=MIN_BEAM_LOG_PROB,
        prune_history=False,
        blank_skip_threshold=1.0,
    )

    def search(log_probs, frames):
        pairs = zip(log_probs.numpy(), frames.tolist())
        texts = [searcher.decode_log_probs(*pair)[0].text for pair in pairs]
        return [[ord(symbol) - FIRST_SYMBOL for symbol in text] for text in texts]

    return search


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
    encodings = [encoding.log_probs for encoding in Recogniser(run).encode(signals)]
    references = [item["wrd"] for item in items]
    rows = []
    for beam in BEAMS:
        search = PrefixBeamSearch(
            run.hparams["blank_index"], beam, MIN_PIECE_LOG_PROB, MIN_BEAM_LOG_PROB
        )

        def ours(log_probs, frames, search=search):
            return [found[0][0] for found in search(log_probs, frames)]

        calls, texts = {}, {}
        for name, function in {"ours": ours, "SpeechBrain": make_theirs(run, beam)}.items():
            for size in BATCHES if name == "ours" else (1,):

                def call(name=name, size=size, function=function, texts=texts):
                    found = []
                    for start in range(0, len(encodings), size):
                        part = encodings[start : start + size]
                        frames = torch.tensor([len(rows) for rows in part])
                        found += function(pad_sequence(part, batch_first=True), frames)
                    texts[name, size] = [run.tokenizer.decode(ids) for ids in found]

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
