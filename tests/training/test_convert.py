"""Whole models that others trained become run folders with the same outputs."""

import shutil

import pytest
import torch
import torch.nn.functional as F
from speechbrain.lobes.features import Fbank
from speechbrain.lobes.models.convolution import ConvolutionFrontEnd
from speechbrain.lobes.models.transformer.TransformerASR import TransformerASR
from speechbrain.nnet.linear import Linear
from speechbrain.processing.features import InputNormalization
from speechbrain.utils.checkpoints import Checkpointer
from tiny_asr import HPARAMS, TINY
from torch import nn

from summarymixing_sb.inference.run import load_run
from summarymixing_sb.models.foreign import load_foreign
from summarymixing_sb.models.parts import ModelParts
from summarymixing_sb.training.config import load_hparams
from summarymixing_sb.training.convert import convert_checkpoint, main
from summarymixing_sb.training.tasks.asr import ASRBrain

WIDTH, HIDDEN, MELS, PIECES = 16, 12, 40, 12
#: Encoder, preset, form, heads; then mixers of SpeechBrain's own models.
VARIANTS = [
    ("branchformer", "interspeech2024", "full", 1),
    ("branchformer", "interspeech2024", "full", 4),
    ("branchformer", "interspeech2024", "lite", 4),
    ("conformer", "interspeech2024", "full", 1),
    ("conformer", "speechbrain1.0", "full", 4),
    ("conformer", "speechbrain1.0", "fast", 4),
    ("conformer", "speechbrain1.0_layernorm", "full", 4),
    ("branchformer", None, "RelPosMHAXL", 4),
    ("branchformer", None, "regularMHA", 4),
    ("conformer", None, "RelPosMHAXL", 4),
    ("conformer", None, "RoPEMHA", 4),
]


class Named(nn.Module):
    """Parameters by dotted names."""

    def __init__(self, shapes):
        super().__init__()
        for name, shape in shapes.items():
            *path, last = name.split(".")
            module = self
            for step in path:
                if not hasattr(module, step):
                    module.add_module(step, nn.Module())
                module = getattr(module, step)
            module.register_parameter(last, nn.Parameter(torch.empty(shape)))

    def mlp(self, x, name, activation):
        """One Linear, or one per head, and an activation a layer."""
        layers = dict(self.named_parameters())
        for layer in (f"{name}linear", f"{name}linear_0"):
            if f"{layer}.w.weight" in layers:
                x = activation(F.linear(x, layers[f"{layer}.w.weight"], layers[f"{layer}.w.bias"]))
            elif f"{layer}.weights" in layers:
                heads = zip(x.chunk(4, -1), layers[f"{layer}.weights"], layers[f"{layer}.biases"])
                x = activation(torch.cat([part @ w + b for part, w, b in heads], -1))
        return x


def layer(name, fan_in, fan_out, heads=1):
    if heads == 1:
        return {f"{name}.w.weight": (fan_out, fan_in), f"{name}.w.bias": (fan_out,)}
    return {
        f"{name}.weights": (heads, fan_in // heads, fan_out // heads),
        f"{name}.biases": (heads, fan_out // heads),
    }


class OriginalMixer(Named):
    """SummaryMixing under its original names, as slow as it is obvious."""

    def __init__(self, preset, form, heads, activation):
        shapes = {}
        for name in {"full": ("local", "summary"), "lite": ("summary",), "fast": ()}[form]:
            shapes |= layer(f"{name}_proj.linear", WIDTH, HIDDEN, heads)
            shapes |= layer(f"{name}_proj.linear_0", HIDDEN, WIDTH, heads)
        if form == "fast":
            shapes |= layer("global_proj.linear", WIDTH, 2 * WIDTH)
        if form != "lite":
            shapes |= layer("summary_local_merging.linear", 2 * WIDTH, WIDTH)
        # held in every form, applied in one
        for norm in ("local_norm", "summary_norm") if preset != "speechbrain1.0" else ():
            shapes |= {f"{norm}.weight": (WIDTH,), f"{norm}.bias": (WIDTH,)}
        super().__init__(shapes)
        self.normalise = preset != "speechbrain1.0" and form == "full"
        self.form, self.activation = form, activation

    def forward(self, x, *_, **__):
        if self.form == "fast":
            local, frames = self.mlp(x, "global_proj.", self.activation).chunk(2, -1)
        else:
            local = self.mlp(x, "local_proj.", self.activation)
            frames = self.mlp(x, "summary_proj.", self.activation)
        mean = frames.mean(1, keepdim=True).expand_as(frames)
        if self.form == "lite":
            return mean, None
        if self.normalise:
            local = F.layer_norm(local, [WIDTH], self.local_norm.weight, self.local_norm.bias)
            mean = F.layer_norm(mean, [WIDTH], self.summary_norm.weight, self.summary_norm.bias)
        both = torch.cat((local, mean), -1)
        return self.mlp(both, "summary_local_merging.", self.activation), None


class OriginalMerge(Named):
    """The MLP that merges the branches, as wide inside as the summary's."""

    def __init__(self):
        super().__init__(layer("linear", 2 * WIDTH, HIDDEN) | layer("linear_0", HIDDEN, WIDTH))

    def forward(self, x):
        return self.mlp(x, "", F.gelu)


def build_theirs(encoder, preset, form, heads):
    """SpeechBrain's own model, its mixers replaced by the original ones."""
    theirs = TransformerASR(
        tgt_vocab=PIECES,
        input_size=MELS * 8,
        d_model=WIDTH,
        nhead=heads,
        num_encoder_layers=2,
        num_decoder_layers=1,
        d_ffn=32,
        activation=nn.GELU,
        encoder_module=encoder,
        csgu_linear_units=32,
        attention_type="regularMHA" if preset else form,
        normalize_before=True,
        causal=False,
    )
    if preset:
        activation = F.silu if encoder == "conformer" else F.gelu
        for block in theirs.encoder.layers:
            block.mha_layer = OriginalMixer(preset, form, heads, activation)
            if encoder == "branchformer":
                block.merge_proj = OriginalMerge()
    front_end = ConvolutionFrontEnd(
        input_shape=(8, 10, MELS),
        num_blocks=2,
        num_layers_per_block=1,
        out_channels=(64, 32),
        kernel_sizes=(3, 3),
        strides=(2, 2),
        residuals=(False, False),
    )
    seq_lin, ctc_lin = (Linear(input_size=WIDTH, n_neurons=PIECES) for _ in range(2))
    model = nn.ModuleList([front_end, theirs, seq_lin, ctc_lin]).eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    return model


def save(model, folder, tokenizer_file, preset):
    """Write what SpeechBrain's Checkpointer writes, with a decoder's name of the first line."""
    folder.mkdir()
    state = model.state_dict()
    if preset == "interspeech2024":
        state = {k.replace(".multihead_attn.", ".mutihead_attn."): v for k, v in state.items()}
    torch.save(state, folder / "model.ckpt")
    normalize = InputNormalization(norm_type="global")
    normalize(torch.randn(2, 50, MELS) * 3 + 1, torch.ones(2))
    [saved] = [Checkpointer(folder.parent / "theirs", {"normalizer": normalize}).save_checkpoint()]
    shutil.copy(saved.path / "normalizer.ckpt", folder)
    shutil.copy(tokenizer_file, folder / "tokenizer.ckpt")
    return normalize.eval()


def overrides_of(encoder, preset, form, heads):
    settings = {key: value for key, value in TINY.items() if key != "number_of_epochs"}
    settings |= {"n_mels": MELS, "nhead": heads, "decoder_nhead": heads, "num_encoder_layers": 2}
    settings |= {"local_hidden": [HIDDEN], "summary_hidden": [HIDDEN]}
    if encoder == "branchformer":
        settings |= {"csgu_linear_units": 32}
    if preset is None:
        return settings | {"attention_type": form, "encoder_positions": True}
    return settings | {
        "mixer_preset": preset,
        "mixer_form": form,
        "encoder_positions": preset != "interspeech2024",
    }


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: "-".join(map(str, variant)))
def test_same_outputs_from_waveform_to_heads(variant, tmp_path, tokenizer_file):
    encoder, preset, form, _ = variant
    front_end, theirs, seq_lin, ctc_lin = model = build_theirs(*variant)
    normalize = save(model, tmp_path / "CKPT+1", tokenizer_file, preset)
    folder = tmp_path / "run"
    dropped = convert_checkpoint(
        tmp_path / "CKPT+1", folder, HPARAMS / f"{encoder}.yaml", overrides_of(*variant)
    )
    held = preset in ("interspeech2024", "speechbrain1.0_layernorm") and form != "full"
    assert any("_norm" in name for name in dropped) == held

    run = load_run(folder)
    signal, tokens = torch.randn(1, 32000), torch.tensor([[1, 5, 7, 3]])
    with torch.no_grad():
        features = Fbank(n_mels=MELS, n_fft=512, win_length=32)(signal)
        expected = front_end(normalize(features, torch.ones(1), epoch=9))
        frames, _ = run.front_end(signal, torch.tensor([32000]))
        torch.testing.assert_close(frames, expected, rtol=1e-4, atol=1e-4)
        positions = theirs.positional_encoding
        if preset == "interspeech2024":  # none in the encoder
            theirs.positional_encoding = Zeros()
        encoded = theirs.encode(expected)
        theirs.positional_encoding = positions
        decoded, _ = theirs.decode(tokens, encoded, torch.tensor([encoded.size(1)]))
        ours = run.modules["Transformer"]
        got, written = ours(frames, tokens)
        for found, wanted in (
            (got, encoded),
            (written, decoded),
            (run.modules["ctc_lin"](got), ctc_lin(encoded)),
            (run.modules["seq_lin"](written), seq_lin(decoded)),
        ):
            torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


class Zeros(nn.Module):
    def forward(self, x):
        return torch.zeros_like(x)


@pytest.fixture
def converted(tmp_path, tokenizer_file):
    """Their checkpoint and the arguments that convert it."""
    variant = VARIANTS[4]
    save(build_theirs(*variant), tmp_path / "CKPT+1", tokenizer_file, variant[1])
    options = [f"--{key}={value}" for key, value in overrides_of(*variant).items()]
    return [
        str(tmp_path / "CKPT+1"),
        str(tmp_path / "run"),
        str(HPARAMS / "conformer.yaml"),
    ], options


def test_a_converted_run_is_tested_and_trained_on(converted, targets, capsys):
    arguments, options = converted
    main([*arguments, *options])
    assert "converted" in capsys.readouterr().out
    hparams = load_hparams(f"{arguments[1]}/hyperparams.yaml", {})
    brain = ASRBrain(
        targets,
        modules=hparams["modules"],
        opt_class=hparams["opt_class"],
        hparams=hparams,
        run_opts={"device": "cpu"},
        checkpointer=hparams["checkpointer"],
    )
    brain.on_fit_start()
    assert hparams["epoch_counter"].current == 0
    theirs = torch.load(f"{arguments[0]}/model.ckpt")
    assert brain.modules["seq_lin"].w.weight.equal(theirs["2.w.weight"])
    assert brain.modules["ctc_lin"].w.weight.equal(theirs["3.w.weight"])
    brain.on_evaluate_start()
    assert [checkpoint.meta["epoch"] for checkpoint in brain.tested_checkpoints] == [0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--mixer_preset=speechbrain1.0_layernorm"],
            "do form, preset, nhead and the widths agree",
        ),
        (
            ["--num_encoder_layers=1"],
            "encoder.layers.1.mha_layer.local_proj.linear.weights has no place",
        ),
        (["--num_encoder_layers=3"], "encoder.layers.2"),
        (["--d_ffn=16"], "has the shape"),
        (["--num_decoder_layers=0", "--valid_decoding=ctc_greedy"], "has no place"),
    ],
)
def test_another_model_is_refused_and_nothing_written(
    converted, options, message, capsys, tmp_path
):
    arguments, own = converted
    names = [option.partition("=")[0] for option in options]
    own = [option for option in own if option.partition("=")[0] not in names]
    with pytest.raises(SystemExit):
        main([*arguments, *own, *options])
    assert message in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {"CKPT+1", "theirs"}


def test_their_settings_are_compared(converted, capsys, tmp_path):
    arguments, own = converted
    (tmp_path / "hyperparams.yaml").write_text("nhead: 8\nn_fft: 400\nd_model: !ref <x>\nx: 16\n")
    with pytest.raises(SystemExit):
        main([*arguments, *own])
    error = capsys.readouterr().err
    assert "--n_fft=400 (not 512) --nhead=8 (not 4) --decoder_nhead=8 (not 4)" in error


def test_what_is_ours_is_refused(tmp_path):
    hparams = load_hparams(
        HPARAMS / "conformer.yaml", {**TINY, "data_folder": ".", "output_folder": str(tmp_path)}
    )
    parts = ModelParts(hparams["modules"])
    numbered = {f"1.{name}": value for name, value in parts["Transformer"].state_dict().items()}
    with pytest.raises(ValueError, match="of this package"):
        load_foreign(parts, numbered)
    with pytest.raises(ValueError, match=r"numbered, as in a list; there are encoder"):
        load_foreign(parts, {"encoder.weight": torch.zeros(1)})


def test_refuses_to_overwrite_and_names_what_is_missing(converted, tmp_path):
    arguments, _ = converted
    (tmp_path / "there").mkdir()
    with pytest.raises(FileExistsError, match="there is there already"):
        convert_checkpoint(arguments[0], tmp_path / "there", arguments[2], {})
    with pytest.raises(FileNotFoundError, match=r"has no model.ckpt, normalizer.ckpt"):
        convert_checkpoint(tmp_path / "there", tmp_path / "run", arguments[2], {})
