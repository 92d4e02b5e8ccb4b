"""The tasks by the name that YAML files give them."""

from summarymixing_sb.training.tasks.asr import ASRBrain
from summarymixing_sb.training.tasks.best_rq import BestRQBrain
from summarymixing_sb.training.tasks.classification import ClassificationBrain
from summarymixing_sb.training.tasks.intent import IntentBrain
from summarymixing_sb.training.tasks.slu import SLUBrain
from summarymixing_sb.training.tasks.transducer import TransducerBrain
from summarymixing_sb.training.tasks.wav2vec2 import Wav2Vec2Brain

TASKS = {
    "asr": ASRBrain,
    "slu": SLUBrain,
    "intent": IntentBrain,
    "transducer": TransducerBrain,
    "classification": ClassificationBrain,
    "best_rq": BestRQBrain,
    "wav2vec2": Wav2Vec2Brain,
}


def task_class(name):
    """Return the Brain of a task.

    Parameters
    ----------
    name : str
        A key of `TASKS`.

    Raises
    ------
    ValueError
        When there is no such task.

    Examples
    --------
    >>> task_class("asr").__name__
    'ASRBrain'
    """
    if name not in TASKS:
        raise ValueError(f"task: choose {', '.join(TASKS)}, not {name!r}")
    return TASKS[name]
