"""Builder of decoders: CTC greedy, CTC prefix beam or joint CTC/attention beam."""

from collections.abc import Mapping

import torch

from summarymixing_sb.decoding.language_model import load_language_model
from summarymixing_sb.decoding.searchers import CTCGreedy, CTCPrefixBeam, JointBeam

METHODS = ("ctc_greedy", "ctc_prefix_beam", "joint_beam")


def build_decoder(method, hparams, modules, tokenizer, stage="test", lm=None, fusions=()):
    """Build the decoder that the hyperparameters describe.

    Parameters
    ----------
    method : str
        ``ctc_greedy``: best piece of each frame. ``ctc_prefix_beam``: the most probable piece
        sequences under CTC, the best of them chosen together with the language model if there is
        one. ``joint_beam``: beam search of the attention decoder, scored by CTC and the language
        model too.
    hparams : dict or namespace
        ``blank_index``, ``bos_index``, ``eos_index``, ``valid_beam_size`` or ``test_beam_size``,
        ``ctc_weight_decode``, ``lm_source`` (a folder or a hub name; None or absent for no language
        model) and, with it, ``lm_model`` (returns the untrained TransformerLM), ``lm_weight``,
        ``lm_temperature``. Only what the method needs is read.
    modules : mapping of str to torch.nn.Module
        ``joint_beam`` needs ``Transformer``, ``seq_lin`` and ``ctc_lin`` (linear, without softmax).
    tokenizer : sentencepiece.SentencePieceProcessor
    stage : str
        ``valid`` takes `valid_beam_size` and no language model, ``test`` takes both
        `test_beam_size` and the language model.
    lm : torch.nn.Module, optional
        The language model, where it is loaded already; else `lm_source` says where it is.
    fusions : sequence of Hotwords or Ngram
        For ``ctc_prefix_beam`` alone.

    Returns
    -------
    summarymixing_sb.decoding.searchers.Decoder
        ``decoder(encoded (B, T, D), log_probs (B, T, V), frames (B,))`` gives the token ids of each
        utterance.

    Raises
    ------
    ValueError
        If the method or the stage is unknown, a hyperparameter is missing or impossible,
        `joint_beam` is chosen without an attention decoder or `ctc_greedy` with a language model,
        or the language model has another vocabulary.
    FileNotFoundError
        If there is no language model at `lm_source`.
    """
    if method not in METHODS:
        raise ValueError(f"unknown decoding method {method!r}: choose one of {', '.join(METHODS)}")
    if stage not in ("valid", "test"):
        raise ValueError(f"unknown stage {stage!r}: choose valid or test")
    if fusions and method != "ctc_prefix_beam":
        raise ValueError(f"hotwords and n-grams need ctc_prefix_beam, not {method}")
    values = _Hparams(hparams, method)
    use_lm = stage == "test" and (lm is not None or values.get("lm_source") is not None)
    if method == "ctc_greedy":
        if use_lm:
            raise ValueError(
                "ctc_greedy cannot use the language model of lm_source: decode with "
                "ctc_prefix_beam or joint_beam, or set lm_source to null"
            )
        return CTCGreedy(tokenizer, values["blank_index"])
    if method == "joint_beam" and "seq_lin" not in modules:
        raise ValueError(
            "joint_beam needs an attention decoder, and this model has none (no module seq_lin): "
            "decode with ctc_greedy or ctc_prefix_beam"
        )

    beam_key = f"{stage}_beam_size"
    if values[beam_key] < 1:
        raise ValueError(f"{beam_key} must be at least 1, not {values[beam_key]}")
    if use_lm and lm is None:
        lm = _language_model(values, modules, tokenizer)
    if method == "ctc_prefix_beam":
        return CTCPrefixBeam(tokenizer, values, values[beam_key], lm, fusions)
    if values[beam_key] > tokenizer.get_piece_size():
        raise ValueError(
            f"{beam_key}: a joint_beam of {values[beam_key]} cannot be wider than the vocabulary "
            f"of {tokenizer.get_piece_size()} pieces"
        )
    return JointBeam(tokenizer, values, values[beam_key], modules, lm)


class _Hparams(dict):
    """Hyperparameters by name, with an error that names the missing one."""

    def __init__(self, hparams, method):
        super().__init__(hparams if isinstance(hparams, Mapping) else vars(hparams))
        self.method = method

    def __missing__(self, key):
        raise ValueError(f"decoding with {self.method} needs the hyperparameter {key}")


def _language_model(values, modules, tokenizer):
    """Load the language model to where the model is, and check its vocabulary."""
    device = next(modules["ctc_lin"].parameters()).device
    lm = load_language_model(values["lm_source"], values["lm_model"], device)
    start = torch.tensor([[values["bos_index"]]], device=device)
    with torch.no_grad():
        outputs = lm(start).shape[-1]
    if outputs != tokenizer.get_piece_size():
        raise ValueError(
            f"the language model of lm_source {values['lm_source']} has {outputs} outputs and the "
            f"tokenizer {tokenizer.get_piece_size()} pieces: both must use one tokenizer"
        )
    return lm
