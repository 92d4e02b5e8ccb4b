"""The CSV manifests of a run, by the splits that its YAML file names."""

from speechbrain.utils.logger import get_logger

logger = get_logger(__name__)


def manifests_of(train_splits, valid_splits, test_splits):
    """Name each CSV and the splits in it.

    Parameters
    ----------
    train_splits, valid_splits, test_splits : list[str]
        Names of splits as the dataset has them. Each list may be empty, not all three.

    Returns
    -------
    dict[str, list[str]]
        ``train``, of all training splits, and one of each split to evaluate on.

    Raises
    ------
    ValueError
        If the splits make no sense by themselves or together.

    Examples
    --------
    >>> manifests_of(["train", "other"], ["dev"], ["test"])
    {'train': ['train', 'other'], 'dev': ['dev'], 'test': ['test']}
    """
    groups = {
        "train_splits": train_splits,
        "valid_splits": valid_splits,
        "test_splits": test_splits,
    }
    for key, splits in groups.items():
        if not isinstance(splits, list | tuple):
            raise ValueError(f"{key} must be a list of splits: [{splits}] instead of {splits}.")
        for split in splits:
            if not isinstance(split, str) or split in ("", ".", "..") or "/" in split:
                raise ValueError(f"{key}: {split!r} is not the name of a split.")
        if len(set(splits)) < len(splits):
            raise ValueError(f"{key} names a split twice: {list(splits)}.")
    if not any(groups.values()):
        raise ValueError("train_splits, valid_splits and test_splits are all empty.")
    evaluated = [*valid_splits, *test_splits]
    if "skipped" in evaluated:
        raise ValueError("A split to evaluate on called 'skipped': that CSV is taken.")
    if "train" in evaluated and list(train_splits) not in ([], ["train"]):
        raise ValueError(f"To evaluate on 'train', train on it alone, not on {list(train_splits)}.")
    if "train" in evaluated:
        logger.warning("train is trained on and evaluated: its scores tell nothing.")
    manifests = {"train": list(train_splits)} if train_splits else {}
    return {**manifests, **{split: [split] for split in evaluated}}
