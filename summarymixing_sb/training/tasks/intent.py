"""Intent classification: the label of an utterance is its scenario and its action."""

from summarymixing_sb.evaluation.slu import intent_scores
from summarymixing_sb.training.tasks.classification import ClassificationBrain


class IntentBrain(ClassificationBrain):
    """Train and test a classifier of intents, ``scenario_action``."""

    column = "intent"
    headline = "intent_accuracy"
    scores = staticmethod(intent_scores)
