"""Time of whole recognisers' encoders, front end included, whose YAML files differ in subsampling.

``python -m results.benchmark.subsampling --output results/subsampling.csv``

On one thread, the models in turn; ratios are to the first of each pair.
"""

import argparse
from statistics import median

import torch

from results.benchmark.models import build_yaml
from results.benchmark.rows import machine_columns, write_rows
from results.benchmark.timing import interleave

PAIRS = (("conformer", "fastconformer"), ("conformer_ctc", "fastconformer_ctc"))
SECONDS, ROUNDS = (10, 40, 100), 7
PARTS = ("front end", "encoder", "both")


def calls(models, seconds):
    """Make what is measured.

    Parameters
    ----------
    models : dict of str to dict
        From :func:`results.benchmark.models.build_yaml`.
    seconds : float
        Of speech, a feature frame every 10 ms.

    Returns
    -------
    dict of (str, str) to callable
        By model and part.
    """
    features = torch.randn(1, round(100 * seconds), 80)
    found = {}
    for name, hparams in models.items():
        front_end, transformer = (hparams["modules"][part] for part in ("CNN", "Transformer"))
        frames = front_end(features)
        found[name, PARTS[0]] = lambda f=front_end: f(features)
        found[name, PARTS[1]] = lambda t=transformer, x=frames: t.encode(x)
        found[name, PARTS[2]] = lambda f=front_end, t=transformer: t.encode(f(features))
    return found


@torch.no_grad()
def main(argv=None):
    """Measure, print and write a CSV file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", required=True)
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    constants, rows = machine_columns(), []
    for pair in PAIRS:
        models = {name: build_yaml(name) for name in pair}
        for seconds in SECONDS:
            taken, failures = interleave(calls(models, seconds), ROUNDS)
            if failures:
                raise RuntimeError(f"{seconds} s: {failures}")
            times = {key: median(values) for key, values in taken.items()}
            for (name, part), value in times.items():
                ratio = value / times[pair[0], part]
                row = {"model": name, "part": part, "seconds": seconds}
                row |= {"ms": f"{1000 * value:.4g}", "ratio": f"{ratio:.3f}", "rounds": ROUNDS}
                print(*row.values(), sep="  ", flush=True)
                rows.append(row | constants)
    write_rows(options.output, rows)


if __name__ == "__main__":
    main()
