"""The layers around a mixer: Conformer, Branchformer, Transformer; and ContextNet, without one."""

from summarymixing_sb.encoders.branchformer import BranchformerEncoder
from summarymixing_sb.encoders.conformer import ConformerEncoder
from summarymixing_sb.encoders.contextnet import ContextNet
from summarymixing_sb.encoders.transformer import TransformerEncoder

__all__ = ["BranchformerEncoder", "ConformerEncoder", "ContextNet", "TransformerEncoder"]
