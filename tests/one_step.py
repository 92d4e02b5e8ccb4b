"""One training step and one decoding of whatever a YAML file describes, made small."""

import sentencepiece
import speechbrain as sb
import torch
from speechbrain.dataio.batch import PaddedBatch
from speechbrain.dataio.dataset import DynamicItemDataset
from speechbrain.dataio.encoder import CategoricalEncoder
from tiny_ssl import SIZES, make_ssl

from summarymixing_sb.data.targets import Labels, Tokens, Untranscribed
from summarymixing_sb.training.config import check_settings, load_hparams, read_settings
from summarymixing_sb.training.tasks import task_class
from summarymixing_sb.training.tasks.classification import ClassificationBrain
from summarymixing_sb.training.tasks.masked import MaskedBrain

PIECES = 24
SMALL = {
    "output_neurons": PIECES,
    "d_model": 16,
    "nhead": 2,
    "decoder_nhead": 2,
    "num_encoder_layers": 1,
    "num_decoder_layers": 1,
    "d_ffn": 32,
    "csgu_linear_units": 32,
    "alpha": 0.05,
    "out_channels": 32,
    "predictor_size": 16,
    "joint_size": 16,
    "local_hidden": [16],
    "local_out": 16,
    "summary_hidden": [16],
    "summary_out": 16,
    "valid_beam_size": 2,
    "test_beam_size": 2,
    "lr": 0.1,
    "n_warmup_steps": 1,
}
#: What SpeechBrain's quantiser keeps as a parameter, though it never changes.
CONSTANT = {"quantizer.quantiser.max_ent"}
#: What two utterances mean, in the column that a task learns.
TEXTS = {
    "wrd": ("A CAB", "DAD"),
    "semantics": ("bad_cab | a cab", "bad_dad | fed [dad : dad]"),
    "intent": ("bad_cab", "bad_dad"),
    "class": ("cab", "dad"),
}


def tiny_tokenizer(folder):
    """A tokenizer of `PIECES` characters, upper and lower case."""
    prefix = folder / "tiny"
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["A BAD CAB", "DAD FED A CAFE", *TEXTS["semantics"]] * 5),
        model_prefix=str(prefix),
        vocab_size=PIECES,
        model_type="char",
        bos_id=1,
        eos_id=2,
        unk_id=0,
        minloglevel=2,
    )
    return sentencepiece.SentencePieceProcessor(model_file=f"{prefix}.model")


def small_overrides(file, overrides, folder):
    """Overrides that shrink the model of a YAML file, as far as it has such keys."""
    folders = {"data_folder": str(folder), "output_folder": str(folder / "run")}
    settings = read_settings(file, {**folders, **overrides})
    small = {key: value for key, value in SMALL.items() if settings.get(key)}
    if "ssl_source" in settings:
        source = make_ssl(folder / "ssl_source")
        small |= {"ssl_source": source, "ssl_folder": source, "d_model": SIZES["hidden_size"]}
    return {**folders, **small, **overrides}


def build_brain(file, overrides, folder, device="cpu"):
    """A Brain ready to train, from a YAML file with these overrides."""
    settings = read_settings(file, overrides)
    task = task_class(settings["task"])
    check_settings(settings, task)
    if issubclass(task, ClassificationBrain):
        encoder = CategoricalEncoder()
        encoder.update_from_iterable(TEXTS[task.column])
        targets = Labels(encoder, task.column)
    elif issubclass(task, MaskedBrain):
        targets = Untranscribed()
    else:
        targets = Tokens(tiny_tokenizer(folder), task.column)
    size = {"output_neurons": targets.size} if targets.keys else {}
    hparams = load_hparams(file, {**overrides, **size})
    brain = task(
        targets,
        modules=hparams["modules"],
        opt_class=hparams["opt_class"],
        hparams=hparams,
        run_opts={"device": device},
    )
    brain.init_optimizers()
    return brain


def two_utterances(brain):
    """A batch of noise, 1.8 s and 0.9 s."""
    targets = brain.targets
    items = [{"id": key} for key in "ab"]
    if targets.keys:
        data = {key: {targets.column: text} for key, text in zip("ab", TEXTS[targets.column])}
        pipeline = targets.pipeline(vars(brain.hparams))
        items = DynamicItemDataset(data, [pipeline], ["id", *targets.keys])
    seconds = (1.8, 0.9)
    return PaddedBatch(
        [{**item, "sig": torch.randn(int(16000 * s))} for item, s in zip(items, seconds)]
    )


def train_a_step_and_decode(brain):
    """Every parameter moves in two steps.

    Validation and test give a finite loss and two hypotheses.
    """
    batch = two_utterances(brain)
    brain.on_stage_start(sb.Stage.TRAIN, 1)
    model = brain.model
    before = {key: p.clone() for key, p in model.named_parameters()}
    brain.modules.train()
    for _ in range(2):  # a warm-up may begin with a learning rate of 0
        brain.fit_batch(batch)
    for key, parameter in model.named_parameters():
        assert key in CONSTANT or not parameter.equal(before[key]), key

    brain.modules.eval()
    for stage in (sb.Stage.VALID, sb.Stage.TEST):
        brain.on_stage_start(stage, brain.hparams.number_of_epochs)
        loss = brain.evaluate_batch(batch, stage)
        assert torch.isfinite(loss)
        if brain.targets.keys:
            assert brain.ids == ["a", "b"]
            assert len(brain.hypotheses) == 2
        brain.stage_stats(stage)
