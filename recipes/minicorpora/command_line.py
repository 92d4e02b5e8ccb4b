"""The command line that the makers of mini corpora share."""

import argparse
import sys
from pathlib import Path


def parser_of(dataset, description, sizes, program=None):
    """Build a parser of the options that every mini corpus has.

    Parameters
    ----------
    dataset : str
        Name of the dataset whose layout is written, such as "LibriSpeech".
    description : str
        One sentence on what is made.
    sizes : dict of str to tuple of int
        Default ``(sentences, speakers)`` of each split.
    program : str, optional
        Name of the module, if it is not the dataset's in lower case.

    Returns
    -------
    argparse.ArgumentParser
        With ``output``, ``--<split>`` and ``--<split>-speakers`` of each split, ``--seed`` and
        ``--workers``.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m recipes.minicorpora.{program or dataset.lower()}",
        description=description,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("output", help=f"folder in which {dataset}/ is written")
    for split, (sentences, speakers) in sizes.items():
        help_text = f"sentences in {split}"
        parser.add_argument(f"--{split}", type=int, default=sentences, help=help_text)
        help_text = f"speakers of {split}, at most"
        parser.add_argument(f"--{split}-speakers", type=int, default=speakers, help=help_text)
    parser.add_argument("--seed", type=int, default=0, help="seed of sentences, voices and noise")
    parser.add_argument("--workers", type=int, help="processes; one per core if not given")
    return parser


def run_maker(arguments, dataset, description, sizes, make, program=None):
    """Run the command line of a corpus that needs no other options.

    Parameters
    ----------
    arguments : list of str or None
        Those of the process if None.
    dataset, description, sizes, program
        See :func:`parser_of`.
    make : callable
        ``make(output, sizes, seed, workers) -> statistics``.
    """
    options = parser_of(dataset, description, sizes, program).parse_args(arguments)
    report(
        Path(options.output) / dataset,
        lambda: make(options.output, sizes_of(options, sizes), options.seed, options.workers),
    )


def sizes_of(options, splits):
    """Return ``{split: (sentences, speakers)}`` from the parsed options.

    >>> import argparse
    >>> sizes_of(argparse.Namespace(dev=10, dev_speakers=2), ["dev"])
    {'dev': (10, 2)}
    """
    return {
        split: (getattr(options, split), getattr(options, f"{split}_speakers")) for split in splits
    }


def report(folder, make):
    """Make a corpus and print what it holds, or leave with the message of what is wrong.

    Parameters
    ----------
    folder : pathlib.Path
        Where the corpus lies.
    make : callable
        ``make() -> statistics``, see `making.statistics_of`.
    """
    try:
        statistics = make()
    except (ValueError, FileExistsError, ImportError, RuntimeError) as error:
        sys.exit(f"error: {error}")
    print(f"{folder} holds")
    print(
        f"{'split':<15} {'hours':>6} {'sentences':>9} {'speakers':>8} {'words':>5}  not in training"
    )
    for split, row in statistics.items():
        unknown = " ".join([str(len(row["unknown"])), *row["unknown"]])
        print(
            f"{split:<15} {row['hours']:>6.2f} {row['sentences']:>9} {row['speakers']:>8} "
            f"{row['vocabulary']:>5}  {unknown}"
        )
