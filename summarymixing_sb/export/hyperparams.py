"""The ``hyperparams.yaml`` of an exported model: what inference needs, and nothing of training."""

import yaml

#: Settings that stay, as far as the run has them: those of decoding, and others.
DECODING = (
    *("blank_index", "bos_index", "eos_index"),
    *("test_decoding", "test_beam_size", "ctc_weight_decode", "lm_weight", "lm_temperature"),
)
KEPT = (
    *("task", "sample_rate", "hop_length", "output_neurons", "num_decoder_layers"),
    *("encoder_module", "attention_type", "decoder_attention_type", "encoder_positions"),
    *DECODING,
)
#: Where the classes of the interface are.
INTERFACE = "summarymixing_sb.export.interface"
HEADER = """\
# A model of summarymixing_sb, for inference: README.md says of what, and how to use it.
# Made by summarymixing-export from the run's own hyperparams.yaml.
"""


class Node:
    """A YAML node with a tag.

    Parameters
    ----------
    tag : str
        As ``!new:torch.nn.Linear``.
    value : dict, list or str
    """

    def __init__(self, tag, value=""):
        self.tag, self.value = tag, value


def ref(name):
    """Refer to a key."""
    return Node("!ref", f"<{name}>")


def new(name, **arguments):
    """Build an object of a class of the interface."""
    return Node(f"!new:{INTERFACE}.{name}", arguments)


def inference_yaml(run, labels=None, lm_model=None):
    """Write the hyperparameters of a run for inference.

    Parameters
    ----------
    run : TrainedRun
    labels : list of str, optional
        Those of a classifier, by index.
    lm_model : dict, optional
        What builds the language model that comes along, as settings have it.

    Returns
    -------
    str
        YAML that both :func:`summarymixing_sb.inference.run.load_run` and SpeechBrain's interfaces
        load.
    """
    settings = run.settings
    kept = {key: _nodes(settings[key]) for key in KEPT if key in settings}
    names = list(settings["modules"])
    parts = {name: _nodes(settings["modules"][name]) for name in names}
    blocks = [kept, {"compute_features": _nodes(settings["compute_features"])}, parts]
    blocks.append({"parts": {name: ref(name) for name in names}})
    loadables = {"normalizer": ref("normalize"), "model": ref("model")}
    normalizer = "!new:speechbrain.dataio.preprocess.AudioNormalizer"
    rate = Node(normalizer, {"sample_rate": ref("sample_rate")})
    blocks.append({"audio_normalizer": rate})
    hop = settings["sample_rate"] * settings["hop_length"] // 1000
    blocks.append(
        {
            "model": Node(
                "!new:summarymixing_sb.models.parts.ModelParts", {"modules": ref("parts")}
            ),
            "encoder": new(
                "Encoder", compute_features=ref("compute_features"), parts=ref("parts"), hop=hop
            ),
        }
    )
    if "label_lin" in parts:
        modules = {"encoder": ref("encoder"), "classifier": ref("label_lin")}
        blocks.append({"labels": labels, "modules": modules})
    else:
        loadables["tokenizer"] = ref("tokenizer")
        blocks += _decoding(kept, parts, lm_model)
        if lm_model is not None:
            loadables["lm"] = ref("lm")
    pretrainer = "!new:speechbrain.utils.parameter_transfer.Pretrainer"
    blocks.append({"pretrainer": Node(pretrainer, {"loadables": loadables})})
    return HEADER + "\n" + "\n".join(map(_dump, blocks))


def _decoding(kept, parts, lm_model):
    """Blocks of what writes text."""
    tokenizer = Node("!new:sentencepiece.SentencePieceProcessor", {})
    yield {"tokenizer": tokenizer}
    decoder = {"parts": ref("parts"), "tokenizer": ref("tokenizer")}
    if lm_model is not None:
        made = _nodes(lm_model)
        # null: it lies beside this file
        yield {"lm_source": None, "lm_model": made}
        yield {"lm": Node(made.tag.replace("!name:", "!new:"), made.value)}
        decoder["lm"] = ref("lm")
    values = {key: ref(key) for key in DECODING if key in kept}
    yield {"decoder": new("Decoder", settings=values, **decoder)}
    modules = {"encoder": ref("encoder"), "decoder": ref("decoder")}
    if "transducer_lin" in parts:
        yield {
            "decoding_function": new(
                "StreamingDecoder", parts=ref("parts"), blank_index=ref("blank_index")
            ),
            "make_decoder_streaming_context": Node(
                "!name:speechbrain.decoders.transducer.TransducerGreedySearcherStreamingContext"
            ),
            "fea_streaming_extractor": new("StreamingFrontEnd", encoder=ref("encoder")),
            "make_tokenizer_streaming_context": Node(
                "!name:summarymixing_sb.decoding.text.StreamingDetokenizer",
                {"tokenizer": ref("tokenizer")},
            ),
            "tokenizer_decode_streaming": Node(f"!name:{INTERFACE}.detokenize"),
            "enc": new("StreamingEncoder", encoder=ref("encoder")),
        }
        modules |= {"enc": ref("enc"), "proj_enc": ref("enc_lin")}
    else:
        arguments = {name: ref(name) for name in ("ctc_lin", "tokenizer", "blank_index")}
        yield {"decoding_function": Node(f"!name:{INTERFACE}.decode_ctc", arguments)}
    yield {"modules": modules}


def _nodes(value):
    """Bring back the tags that :func:`summarymixing_sb.hyperparameters.read_settings` notes."""
    if isinstance(value, list):
        return [_nodes(item) for item in value]
    if not isinstance(value, dict):
        # ruamel's scalars, which remember how they were written, are no types of PyYAML
        kinds = [kind for kind in (bool, int, float, str) if isinstance(value, kind)]
        return kinds[0](value) if kinds else value
    tag, rest = value.get("!"), {key: _nodes(x) for key, x in value.items() if key != "!"}
    if tag is None:
        return rest
    if set(rest) == {"items"}:
        return Node(tag, rest["items"])
    return Node(tag, rest.get("value", "") if set(rest) <= {"value"} else rest)


class _Dumper(yaml.SafeDumper):
    """Writes nodes with their tags, and repeats what it has written before."""

    def ignore_aliases(self, data):
        return True


def _represent(dumper, node):
    if isinstance(node.value, dict):
        return dumper.represent_mapping(node.tag, node.value)
    if isinstance(node.value, list):
        return dumper.represent_sequence(node.tag, node.value)
    return dumper.represent_scalar(node.tag, node.value)


def _represent_list(dumper, items):
    return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=True)


_Dumper.add_representer(Node, _represent)
_Dumper.add_representer(list, _represent_list)


def _dump(block):
    return yaml.dump(block, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
