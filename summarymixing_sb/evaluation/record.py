"""The JSON file of a test: scores, the run, and where it was made."""

import json
from pathlib import Path

from summarymixing_sb.evaluation.environment import environment_record
from summarymixing_sb.files import atomic_open

INFO_KEYS = (
    "hours_audio",
    "parameters",
    "seconds",
    "peak_memory_mb",
    "seed",
    "command",
    "yaml",
    "overrides",
    "mixer",
    "preset",
)


def write_scores(folder, name, scores, info):
    """Write the JSON file of a test that has no texts.

    Parameters
    ----------
    folder, name
        See :func:`summarymixing_sb.evaluation.write_test_results`.
    scores : dict
    info : dict
        See :func:`summarymixing_sb.evaluation.write_test_results`; no ``decoding`` is required.

    Returns
    -------
    Path
        The JSON file.

    Raises
    ------
    ValueError
        As :func:`summarymixing_sb.evaluation.write_test_results` does.
    """
    Path(folder).mkdir(parents=True, exist_ok=True)
    return write_record(folder, name, make_record(name, scores, info))


def make_record(name, scores, info, missing=()):
    """Join scores, run and environment into what the JSON file says."""
    missing = [*(key for key in INFO_KEYS if key not in info), *missing]
    if missing:
        raise ValueError(f"info of test set {name!r} lacks {', '.join(missing)}")
    if not info["hours_audio"] > 0:
        raise ValueError(f"info['hours_audio'] must be above 0, not {info['hours_audio']}")
    factor = info["seconds"] / (3600 * info["hours_audio"])
    speed = {"real_time_factor": factor, "rtfx": 1 / factor if factor else None}
    made = {"test_set": name, **scores, **speed, **environment_record()}
    clash = sorted(made.keys() & info.keys())
    if clash:
        raise ValueError(
            f"info must not give {', '.join(clash)}: filled in when results are written"
        )
    # NaN and infinity are no JSON; other programs could not read the file
    return json.dumps({**made, **info}, indent=2, ensure_ascii=False, allow_nan=False)


def write_record(folder, name, record):
    """Write the JSON file, whole or not at all."""
    path = Path(folder) / f"{name}.json"
    with atomic_open(path) as file:
        file.write(record + "\n")
    return path
