"""Encoders around any mixer: Conformer, Branchformer, Transformer; and ContextNet, without one."""

from summarymixing_sb.encoders.base import Encoder
from summarymixing_sb.encoders.branchformer import BranchformerEncoder, BranchformerEncoderLayer
from summarymixing_sb.encoders.conformer import ConformerEncoder, ConformerEncoderLayer
from summarymixing_sb.encoders.contextnet import ContextNet
from summarymixing_sb.encoders.layer import EncoderLayer
from summarymixing_sb.encoders.transformer import TransformerEncoder, TransformerEncoderLayer

__all__ = [
    "BranchformerEncoder",
    "BranchformerEncoderLayer",
    "ConformerEncoder",
    "ConformerEncoderLayer",
    "ContextNet",
    "Encoder",
    "EncoderLayer",
    "TransformerEncoder",
    "TransformerEncoderLayer",
]
