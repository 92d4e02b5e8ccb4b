"""Time and memory of the joint beam search, ours and SpeechBrain's, with the same weights.

``python -m results.benchmark.search --output results/search.csv``

A random model of the papers' size decodes an utterance of 10 s, on one thread, each time in a
process of its own; ours before and after SpeechBrain's.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from statistics import mean

import torch
from speechbrain.decoders import (
    CTCScorer,
    S2STransformerBeamSearcher,
    ScorerBuilder,
    TransformerLMScorer,
)
from speechbrain.lobes.models.transformer.TransformerLM import TransformerLM
from speechbrain.nnet.linear import Linear
from torch import nn

from results.benchmark.rows import machine_columns, write_rows
from summarymixing_sb import TransformerASR
from summarymixing_sb.decoding import scorers
from summarymixing_sb.decoding.searchers import OneTokenAtATime

VOCABULARY, WIDTH, FRAMES, TOKENS = 5000, 512, 250, 35
BOS, EOS, BLANK = 1, 2, 0
CTC_WEIGHT, LM_WEIGHT = 0.4, 0.6
OURS, THEIRS, CANDIDATES = "ours", "SpeechBrain", "SpeechBrain, CTC of candidates"
ORDER = (OURS, CANDIDATES, THEIRS, OURS)


def make_model(seed):
    """Make decoder, output layers and language model; outputs spread out, so that beams differ."""
    torch.manual_seed(seed)
    transformer = TransformerASR(
        VOCABULARY, 640, WIDTH, 8, 1, 6, 2048, activation=nn.GELU, normalize_before=True,
        attention_type="none", encoder_module="conformer",
    )  # fmt: skip
    lm = TransformerLM(VOCABULARY, 768, 12, 12, 0, 3072, activation=nn.GELU)
    model = nn.ModuleDict({"Transformer": transformer, "lm": lm})
    for name in ("seq_lin", "ctc_lin"):
        model[name] = Linear(input_size=WIDTH, n_neurons=VOCABULARY)
        nn.init.normal_(model[name].w.weight, std=0.1)
    return model.eval(), torch.randn(1, FRAMES, WIDTH)


def make_search(way, beam, with_lm, model):
    """Make a search of :data:`TOKENS` steps; ours adds one to what the ratio gives."""
    ours = way == OURS
    ctc = (scorers.CTCScorer if ours else CTCScorer)(model["ctc_lin"], BLANK, EOS)
    parts = {"full_scorers": [ctc], "partial_scorers": []}
    if way == CANDIDATES:
        parts = {"full_scorers": [], "partial_scorers": [ctc], "scorer_beam_scale": 1.5}
    weights = {"ctc": CTC_WEIGHT}
    if with_lm:
        make = scorers.TransformerLMScorer if ours else TransformerLMScorer
        parts["full_scorers"].insert(0, make(model["lm"]))
        weights["transformerlm"] = LM_WEIGHT
    return (OneTokenAtATime if ours else S2STransformerBeamSearcher)(
        modules=[model["Transformer"], model["seq_lin"]],
        bos_index=BOS,
        eos_index=EOS,
        min_decode_ratio=0.0,
        max_decode_ratio=(TOKENS - ours) / FRAMES,
        beam_size=beam,
        using_eos_threshold=False,
        scorer=ScorerBuilder(weights=weights, **parts),
    )


@torch.no_grad()
def measure(way, beam, with_lm, seed=0):
    """Search once: seconds, growth of the peak of memory in MiB, hypothesis and score."""
    torch.set_num_threads(1)
    model, encoded = make_model(seed)
    search = make_search(way, beam, with_lm, model)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    hypotheses, _, scores, _ = search(encoded, torch.ones(1))
    seconds = time.perf_counter() - started
    growth = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    found = {"tokens": list(map(int, hypotheses[0])), "score": float(scores[0])}
    return {"seconds": seconds, "growth_mib": growth, **found}


def measure_alone(*arguments):
    """Call :func:`measure` in a new process."""
    code = f"import json; from results.benchmark.search import measure; \
print(json.dumps(measure(*json.loads({json.dumps(json.dumps(arguments))}))))"
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def compare(beam, with_lm, ways=ORDER):
    """Measure ways of searching in their order; a row for each."""
    found = {}
    for way in ways:
        found.setdefault(way, []).append(measure_alone(way, beam, with_lm))
        last = found[way][-1]
        print(f"beam {beam}, LM {with_lm}, {way}: {last['seconds']:.1f} s", flush=True)
    ours = mean(x["seconds"] for x in found[OURS])
    for way, several in found.items():
        seconds = mean(x["seconds"] for x in several)
        yield {
            **{"way": way, "beam": beam, "language_model": with_lm},
            **{"seconds": f"{seconds:.2f}", "times_ours": f"{seconds / ours:.1f}"},
            "growth_mib": round(max(x["growth_mib"] for x in several)),
            "same_hypothesis": several[0]["tokens"] == found[OURS][0]["tokens"],
            "score_difference": f"{abs(several[0]['score'] - found[OURS][0]['score']):.1e}",
        }


def main(argv=None):
    """Measure all and write a CSV file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", required=True)
    parser.add_argument("--beams", type=int, nargs="+", default=[10, 66])
    options = parser.parse_args(argv)
    rows = [row for beam in options.beams for lm in (False, True) for row in compare(beam, lm)]
    about = machine_columns()
    write_rows(options.output, [{**row, **about} for row in rows])


if __name__ == "__main__":
    main()
