"""Whole recordings made of the utterances of a manifest, for tests in one pass."""

#: Column of the manifests that names the recording that an utterance is of.
RECORDING = "recording"


def join_recordings(data, column):
    """Join the utterances of each recording into one item.

    Utterances that are parts of one file give that file, from the start of the first to the end of
    the last; those of files of their own give these files one behind the other.

    Parameters
    ----------
    data : dict of str to dict
        From :func:`summarymixing_sb.data.batches.read_manifests`, with the column ``recording``.
    column : str
        Column of the texts, which are joined in the order of time.

    Returns
    -------
    dict of str to dict
        Items by the name of the recording; ``wav`` is a path or a list of paths.

    Raises
    ------
    ValueError
        If the manifest does not tell the recordings.

    Examples
    --------
    >>> talk = {"wav": "talk.sph", "recording": "talk", "spk_id": "ann"}
    >>> data = {
    ...     "b": {**talk, "start": "5.5", "end": "8", "duration": 2.5, "wrd": "so far"},
    ...     "a": {**talk, "start": "1.5", "end": "4", "duration": 2.5, "wrd": "well"},
    ... }
    >>> [item] = join_recordings(data, "wrd").values()
    >>> item["start"], item["end"], item["duration"], item["wrd"]
    ('1.5', '8', 6.5, 'well so far')
    """
    parts = {}
    for key, item in data.items():
        if not item.get(RECORDING):
            raise ValueError(
                f"test_long_form: the manifest does not tell which recording {key} is of; it is "
                "for TED-LIUM and LibriSpeech"
            )
        parts.setdefault(item[RECORDING], []).append(item)
    return {name: _joined(own, column) for name, own in parts.items()}


def _joined(items, column):
    if items[0].get("end"):
        items = sorted(items, key=lambda item: float(item["start"]))
        last = max(items, key=lambda item: float(item["end"]))["end"]
        place = {"wav": items[0]["wav"], "start": items[0]["start"], "end": last}
        duration = float(last) - float(items[0]["start"])
    else:
        place = {"wav": [item["wav"] for item in items]}
        duration = sum(item["duration"] for item in items)
    text = " ".join(item[column] for item in items)
    return {**items[0], **place, "duration": duration, column: text}
