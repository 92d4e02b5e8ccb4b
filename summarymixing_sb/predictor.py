"""The path of Predictor in run folders of versions before 0.2."""

from summarymixing_sb.models.predictor import Predictor

__all__ = ["Predictor"]
