"""What the YAML file of a run may build, without being trusted to run any code."""

import re
from pathlib import Path

import yaml
from hyperpyyaml import resolve_references

#: Constructors and functions of the YAML files of this package, today's and those of before.
ALLOWED = frozenset(
    {
        "sentencepiece.SentencePieceProcessor",
        "speechbrain.augment.augmenter.Augmenter",
        "speechbrain.augment.freq_domain.SpectrogramDrop",
        "speechbrain.augment.freq_domain.Warping",
        "speechbrain.augment.time_domain.SpeedPerturb",
        "speechbrain.dataio.preprocess.AudioNormalizer",
        "speechbrain.decoders.transducer.TransducerGreedySearcherStreamingContext",
        "speechbrain.lobes.features.Fbank",
        "speechbrain.lobes.models.transformer.TransformerLM.TransformerLM",
        "speechbrain.nnet.activations.Swish",
        "speechbrain.nnet.linear.Linear",
        "speechbrain.nnet.losses.ctc_loss",
        "speechbrain.nnet.losses.kldiv_loss",
        "speechbrain.nnet.schedulers.NoamScheduler",
        "speechbrain.nnet.schedulers.WarmAndExpDecayLRSchedule",
        "speechbrain.nnet.transducer.transducer_joint.Transducer_joint",
        "speechbrain.processing.features.InputNormalization",
        "speechbrain.utils.checkpoints.Checkpointer",
        "speechbrain.utils.dynamic_chunk_training.DynChunkTrainConfigRandomSampler",
        "speechbrain.utils.epoch_loop.EpochCounter",
        "speechbrain.utils.parameter_transfer.Pretrainer",
        "speechbrain.utils.train_logger.FileTrainLogger",
        "summarymixing_sb.Checkpointer",
        "summarymixing_sb.ContextNet",
        "summarymixing_sb.ConvolutionFrontEnd",
        "summarymixing_sb.DepthwiseSeparableFrontEnd",
        "summarymixing_sb.Predictor",
        "summarymixing_sb.TransformerASR",
        "summarymixing_sb.decoding.text.StreamingDetokenizer",
        "summarymixing_sb.export.interface.Decoder",
        "summarymixing_sb.export.interface.Encoder",
        "summarymixing_sb.export.interface.StreamingDecoder",
        "summarymixing_sb.export.interface.StreamingEncoder",
        "summarymixing_sb.export.interface.StreamingFrontEnd",
        "summarymixing_sb.export.interface.decode_ctc",
        "summarymixing_sb.export.interface.detokenize",
        "summarymixing_sb.models.parts.ModelParts",
        "summarymixing_sb.models.predictor.Predictor",
        "summarymixing_sb.predictor.Predictor",
    }
)
#: Modules and optimisers of torch, all of which only compute.
ALLOWED_PATTERN = re.compile(r"torch\.(nn|optim)\.[A-Z]\w*")
#: The only function that is called; it seeds random numbers.
APPLIED = "speechbrain.utils.seed_everything"
#: Tags that build nothing.
PLAIN = re.compile(r"!ref|!copy|!tuple|!PLACEHOLDER|tag:yaml\.org,2002:(?!python)\w+")
#: Keys whose value may be the path of a class.
CLASS_KEYS = ("attention_type", "decoder_attention_type", "encoder_module", "task")


def refuse_code(file, overrides=None):
    """Refuse a YAML file that would build or call anything but parts of this package's models.

    Parameters
    ----------
    file : str or Path
        A run's ``hyperparams.yaml``.
    overrides : dict, optional
        Values that take the place of the file's.

    Raises
    ------
    ValueError
        If it names anything else, naming that.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "hyperparams.yaml"
    >>> _ = path.write_text("seed: !apply:os.getpid []")
    >>> refuse_code(path)
    Traceback (most recent call last):
        ...
    ValueError: ...hyperparams.yaml wants to use !apply:os.getpid, which is no part of a model...
    """
    text = Path(file).read_text(encoding="utf-8")
    _refuse(file, text)  # first, since !include would read another file
    resolved = resolve_references(text, overrides or {}).getvalue()
    settings = _refuse(file, resolved)
    for key in CLASS_KEYS:
        if "." in settings.get(key, ""):
            raise _error(file, f"{key}: {settings[key]}")


def _refuse(file, text):
    """Walk over all nodes of a YAML text; return its scalars of the top level by key."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise ValueError(f"{file} is no YAML: {error}") from error
    nodes, seen = [root], set()
    while nodes:
        node = nodes.pop()
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        if not _allowed(node.tag):
            raise _error(file, node.tag)
        if isinstance(node, yaml.MappingNode):
            nodes += [part for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            nodes += node.value
    if not isinstance(root, yaml.MappingNode):
        raise ValueError(f"{file} is not of this package's training: it has no keys")
    return {
        key.value: value.value for key, value in root.value if isinstance(value, yaml.ScalarNode)
    }


def _allowed(tag):
    kind, _, name = tag.partition(":")
    if kind in ("!new", "!name"):
        return name in ALLOWED or bool(ALLOWED_PATTERN.fullmatch(name))
    return (kind == "!apply" and name == APPLIED) or bool(PLAIN.fullmatch(tag))


def _error(file, what):
    return ValueError(
        f"{file} wants to use {what}, which is no part of a model of this package and may run any "
        "code. If you trust whoever made this run, add --trust"
    )
