"""Start a model from the encoder of another one."""

from pathlib import Path

from speechbrain.utils.distributed import run_on_main
from speechbrain.utils.logger import get_logger

from summarymixing_sb.files import atomic_open
from summarymixing_sb.models.checkpointer import Checkpointer, progress
from summarymixing_sb.models.checkpoints import average_parameters

logger = get_logger(__name__)

FRONT_END = "CNN."
# The front end, then of the Transformer what stands before its decoder
ENCODER = (FRONT_END, "Transformer.custom_src_module.", "Transformer.encoder.")
REPORT = "pretrained_encoder.txt"


def load_pretrained_encoder(run, model, normalizer, output_folder):
    """Give a model the front end and the encoder of a run of this package.

    The run's checkpoints of whole epochs are averaged. Parameters of the same name and shape are
    taken; which those are, and which are not, is written to ``pretrained_encoder.txt`` in the
    output folder, and summed up in the log. The normaliser comes along where the whole front end
    does.

    Parameters
    ----------
    run : str or Path
        The ``output_folder`` of that run.
    model : ModelParts
        Receives the parameters; its parts are ``CNN``, ``Transformer`` and the heads.
    normalizer : InputNormalization
        Receives the statistics.
    output_folder : str or Path
        Where the report goes.

    Raises
    ------
    FileNotFoundError
        When there is no checkpoint of a whole epoch.
    ValueError
        When no parameter matches.
    """
    folder = Path(run) / "save"
    if not folder.is_dir():
        raise FileNotFoundError(
            f"pretrained_encoder: there is no checkpoint of a whole epoch in {folder}; name the "
            "output_folder of a finished run"
        )
    theirs, used = average_parameters(Checkpointer(folder), ("CNN", "Transformer"))
    ours = {name: value for name, value in model.state_dict().items() if name.startswith(ENCODER)}
    problems = {name: _problem(value, theirs.get(name)) for name, value in ours.items()}
    matched = [name for name, problem in problems.items() if not problem]
    if not matched:
        raise ValueError(
            f"pretrained_encoder: no parameter of the encoder in {run} has the name and shape of "
            "one here; do encoder_module, d_model and the mixer agree?"
        )
    model.load_state_dict({name: theirs[name] for name in matched}, strict=False)
    if all(not problem for name, problem in problems.items() if name.startswith(FRONT_END)):
        latest = max(used, key=progress)
        Checkpointer(folder, {"normalizer": normalizer}).load_checkpoint(latest)
    unused = [name for name in theirs if name.startswith(ENCODER) and name not in ours]
    run_on_main(_report, [Path(output_folder) / REPORT, run, problems, unused])


def _problem(ours, theirs):
    """Why a parameter cannot be taken; empty if it can."""
    if theirs is None:
        return "not there"
    if theirs.shape != ours.shape:
        return f"{tuple(theirs.shape)} there, {tuple(ours.shape)} here"
    return ""


def _report(file, run, problems, unused):
    """Write all names, log how many they are and some of those that did not match."""
    matched = [name for name, problem in problems.items() if not problem]
    others = [f"{name}: {problem}" for name, problem in problems.items() if problem]
    lines = [
        f"{len(matched)} matched:",
        *matched,
        f"{len(others)} not taken, as at the start:",
        *others,
        f"{len(unused)} of {run} without a place here:",
        *unused,
    ]
    with atomic_open(file) as stream:
        stream.writelines(f"{line}\n" for line in lines)
    logger.info(
        f"Encoder of {run}: {len(matched)} parameters matched, {len(others)} did not "
        f"({'; '.join(others[:5]) or 'none'}), {len(unused)} there have no place here; "
        f"all of them in {file}"
    )
