"""Checkpoints that appear whole or not at all, in the order of their training."""

import logging
import math
import os
import shutil
import zipfile
from collections import defaultdict
from pathlib import Path

import speechbrain.utils.checkpoints as sb_checkpoints
import yaml
from speechbrain.utils.checkpoints import METAFNAME, ckpt_recency
from speechbrain.utils.distributed import ddp_barrier, if_main_process
from speechbrain.utils.logger import get_logger

from summarymixing_sb.files import flush_to_disk

logger = get_logger(__name__)

#: Folder beside the checkpoints in which they are written, until they are whole.
UNFINISHED = ".unfinished"
#: Entry of ``CKPT.yaml``: the size in bytes of each other file.
SIZES = "sizes"


class Checkpointer(sb_checkpoints.Checkpointer):
    """SpeechBrain's Checkpointer, safe against kills, full disks and clocks that are set back.

    A checkpoint is written into a folder beside the others, flushed to the disk, and gets its name
    when it is whole. One that is damaged all the same is skipped with a warning, once, and never
    deleted or counted among those that are kept. The most recent checkpoint is that of the most
    optimiser steps, whatever the clock says.

    Parameters
    ----------
    checkpoints_dir : str or Path
        Folder of the checkpoints.
    recoverables : mapping of str to object, optional
        What is saved and recovered.
    **kwargs
        Other arguments of SpeechBrain's Checkpointer.

    Examples
    --------
    >>> import tempfile, torch
    >>> saved = Checkpointer(tempfile.mkdtemp(), {"model": torch.nn.Linear(2, 3)})
    >>> checkpoint = saved.save_checkpoint()
    >>> saved.find_checkpoint().path == checkpoint.path
    True
    >>> (checkpoint.path / "model.ckpt").unlink()
    >>> saved.find_checkpoint() is None
    True
    """

    def __init__(self, checkpoints_dir, recoverables=None, **kwargs):
        super().__init__(checkpoints_dir, recoverables, **kwargs)
        # SpeechBrain has no entry here for what is given to __init__
        self.optional_recoverables = defaultdict(bool)
        self._damaged = set()

    @classmethod
    def adopt(cls, other):
        """Take over from a Checkpointer of SpeechBrain, as YAML files of before 0.2 have it.

        Parameters
        ----------
        other : speechbrain.utils.checkpoints.Checkpointer

        Returns
        -------
        Checkpointer
            `other` itself if it is of this class.
        """
        if isinstance(other, cls):
            return other
        ours = cls(other.checkpoints_dir, allow_partial_load=other.allow_partial_load)
        for name in ("recoverables", "optional_recoverables", "custom_load_hooks"):
            getattr(ours, name).update(getattr(other, name))
        ours.custom_save_hooks.update(other.custom_save_hooks)
        return ours

    # Writing

    def save_checkpoint(self, meta=None, end_of_epoch=True, name=None, verbosity=logging.INFO):
        """Save a checkpoint, whole or not at all; see SpeechBrain's Checkpointer.

        Raises
        ------
        OSError
            If it cannot be written, for example to a full disk; nothing of it is left then.
        """
        unfinished = self.checkpoints_dir / UNFINISHED
        if if_main_process():
            # of a run that was killed
            shutil.rmtree(unfinished, ignore_errors=True)
        checkpoint = None
        try:
            saved = super().save_checkpoint(meta or {}, end_of_epoch, name, logging.DEBUG)
            # of several processes, each may have written a file
            ddp_barrier()
            if if_main_process():
                checkpoint = self._finish(saved)
                logger.log(verbosity, f"Saved a checkpoint in {checkpoint.path}")
        except (OSError, RuntimeError) as error:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise OSError(
                f"no checkpoint could be written to {self.checkpoints_dir} ({error}). Those of "
                "before are whole: make room there, then give the same command again to go on"
            ) from error
        ddp_barrier()
        return checkpoint

    def _finish(self, saved):
        """Note the sizes of a checkpoint's files, flush them, and give it its name."""
        files = {x.name: x.stat().st_size for x in saved.path.iterdir() if x.name != METAFNAME}
        meta = {**saved.meta, SIZES: files}
        self._save_checkpoint_metafile(saved.path / METAFNAME, meta, meta["end-of-epoch"])
        for name in (*files, METAFNAME):
            flush_to_disk(saved.path / name)
        flush_to_disk(saved.path)
        final = self.checkpoints_dir / saved.path.name
        shutil.rmtree(final, ignore_errors=True)
        os.replace(saved.path, final)
        flush_to_disk(self.checkpoints_dir)
        paths = {key: final / path.name for key, path in saved.paramfiles.items()}
        return sb_checkpoints.Checkpoint(final, meta, paths)

    def _new_checkpoint_dirpath(self):
        return self.checkpoints_dir / UNFINISHED / super()._new_checkpoint_dirpath().name

    def _custom_checkpoint_dirpath(self, name):
        return self.checkpoints_dir / UNFINISHED / super()._custom_checkpoint_dirpath(name).name

    # Reading

    def find_checkpoints(
        self,
        importance_key=None,
        max_key=None,
        min_key=None,
        ckpt_predicate=None,
        max_num_checkpoints=None,
    ):
        """Find checkpoints, most recent or best first; see SpeechBrain's Checkpointer.

        Those without a finite score are not found by that score.
        """
        given = [key for key in (importance_key, max_key, min_key) if key]
        if len(given) > 1:
            raise ValueError("give one of importance_key, max_key and min_key, not several")
        if importance_key in (None, ckpt_recency):
            importance_key = progress
        score, sign = (max_key, 1) if max_key else (min_key, -1)
        predicates = [ckpt_predicate] if ckpt_predicate else []
        if score:
            predicates.append(lambda found: math.isfinite(found.meta.get(score, math.nan)))

            def importance_key(found):
                return sign * found.meta[score], progress(found)

        return super().find_checkpoints(
            importance_key=importance_key,
            ckpt_predicate=lambda found: all(wanted(found) for wanted in predicates),
            max_num_checkpoints=max_num_checkpoints,
        )

    def recover_if_possible(self, *args, **kwargs):
        """Recover from a checkpoint, if there is any; see SpeechBrain's Checkpointer.

        Raises
        ------
        ValueError
            If all checkpoints are damaged.
        """
        folders = self._list_checkpoint_dirs()
        if folders and not self._construct_checkpoint_objects(folders):
            raise ValueError(
                f"all checkpoints in {self.checkpoints_dir} are damaged: restore one of them, or "
                "move them away to train from the start"
            )
        return super().recover_if_possible(*args, **kwargs)

    def _list_checkpoint_dirs(self):
        """List also the folders without ``CKPT.yaml``, so that they are warned of."""
        folders = sorted(self.checkpoints_dir.glob(f"{sb_checkpoints.CKPT_PREFIX}+*"))
        return [folder for folder in folders if folder.is_dir()]

    def _construct_checkpoint_objects(self, checkpoint_dirs):
        checkpoints = []
        for folder in checkpoint_dirs:
            try:
                checkpoints.append(_read_checkpoint(folder))
            except (OSError, ValueError, yaml.YAMLError) as error:
                if folder not in self._damaged:
                    self._damaged.add(folder)
                    logger.warning(f"The checkpoint {folder} is damaged and not used: {error}")
        return checkpoints


def progress(checkpoint):
    """Say how far a training was when a checkpoint was written, as a key to sort by.

    Parameters
    ----------
    checkpoint : speechbrain.utils.checkpoints.Checkpoint

    Returns
    -------
    tuple
        Optimiser steps, whether the epoch had ended, the clock.
    """
    steps = -1
    if "brain" in checkpoint.paramfiles:
        saved = yaml.safe_load(Path(checkpoint.paramfiles["brain"]).read_text(encoding="utf-8"))
        steps = saved.get("optimizer_step", saved["step"])
    return steps, checkpoint.meta["end-of-epoch"], checkpoint.meta["unixtime"]


def _read_checkpoint(folder):
    """Read what is in a checkpoint, or raise an error that says in what way it is damaged."""
    meta_file = folder / METAFNAME
    if not meta_file.is_file():
        raise ValueError(f"it has no {METAFNAME}")
    meta = yaml.safe_load(meta_file.read_text(encoding="utf-8"))
    if not isinstance(meta, dict) or not {"unixtime", "end-of-epoch"} <= meta.keys():
        raise ValueError(f"its {METAFNAME} is cut off or of something else")
    files = {path.name: path for path in folder.iterdir() if path.name != METAFNAME}
    for name, size in meta.get(SIZES, {}).items():
        if name not in files:
            raise ValueError(f"its {name} is missing")
        if files[name].stat().st_size != size:
            raise ValueError(f"its {name} has {files[name].stat().st_size} bytes, not {size}")
    if SIZES not in meta:
        for name, path in files.items():
            _check_content(name, path)
    suffix = sb_checkpoints.PARAMFILE_EXT
    paths = {path.stem: path for path in files.values() if path.suffix == suffix}
    return sb_checkpoints.Checkpoint(folder, meta, paths)


def _check_content(name, path):
    """Check a file whose size nobody noted: torch writes whole zip files, the others are text."""
    if not path.stat().st_size:
        raise ValueError(f"its {name} is empty")
    if not zipfile.is_zipfile(path):
        try:
            path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise ValueError(f"its {name} is cut off") from None
