"""The synthetic corpus and the small model that studies share."""

from recipes.minicorpora.librispeech import make_librispeech

SIZES = {"train": (2400, 120), "dev": (40, 4), "test": (400, 20)}  # sentences, speakers
#: The small model of the studies, trained in minutes; keys of the YAML files of demos.
SMALL = {
    "d_model": 96,
    "d_ffn": 256,
    "local_hidden": [96],
    "local_out": 96,
    "summary_hidden": [96],
    "summary_out": 96,
    "max_batch_length_train": 30,
    "valid_search_interval": 100,
    "avg_checkpoints": 3,
}


def make_corpus(folder):
    """Make the corpus, and name what all trials share of its preparation.

    Parameters
    ----------
    folder : str
        For the corpus and the runs.

    Returns
    -------
    dict
        Overrides.
    """
    make_librispeech(folder, SIZES)
    return {
        "data_folder": f"{folder}/LibriSpeech",
        "manifest_folder": f"{folder}/manifests",
        "tokenizer_folder": f"{folder}/tokenizer",
    }
