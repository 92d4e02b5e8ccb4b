"""Recordings of a command line: their files, durations and the names of their transcripts."""

import os
from pathlib import Path, PurePath

import soundfile

from summarymixing_sb.data.audio import name_for_soundfile

#: Names standard input instead of a file.
STANDARD_INPUT = "-"
#: Files with sound that soundfile does not read; ffmpeg makes a FLAC of them.
UNREAD_SUFFIXES = (
    *(".3gp", ".aac", ".ac3", ".alac", ".amr", ".ape", ".m4a", ".m4b", ".mka", ".mkv", ".mov"),
    *(".mp4", ".mpeg", ".mpg", ".avi", ".ra", ".webm", ".wma", ".wmv", ".wv"),
)
#: Audio files of a folder; a file that is named itself may have any suffix.
SUFFIXES = (
    *(".aif", ".aifc", ".aiff", ".au", ".caf", ".flac", ".mp3"),
    *(".oga", ".ogg", ".opus", ".rf64", ".sph", ".w64", ".wav"),
)


def find_recordings(sources):
    """List the files that are named, and the audio files in the folders that are.

    Parameters
    ----------
    sources : list of str or Path

    Returns
    -------
    list of Path
        Each file once; those of a folder, also of folders that are reached by links, by name.
        Among them are files whose sound cannot be read, so that they are named.

    Raises
    ------
    FileNotFoundError
        If there is no such file or folder, or no audio file in a folder.
    """
    found = {}
    for source in map(Path, sources):
        if source.is_dir():
            files = sorted(
                path
                for path in _files_below(source)
                if path.suffix.lower() in (*SUFFIXES, *UNREAD_SUFFIXES)
            )
            if not files:
                raise FileNotFoundError(
                    f"no audio file in the folder {source} ({', '.join(SUFFIXES)})"
                )
        elif source.is_file():
            files = [source]
        else:
            raise FileNotFoundError(f"there is no file or folder {source}")
        for path in files:
            found.setdefault(path.resolve(), path)
    return list(found.values())


def _files_below(folder):
    """Yield the files below a folder, each folder once, also where links lead in circles."""
    seen = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        if os.path.realpath(place) in seen:
            folders.clear()
            continue
        seen.add(os.path.realpath(place))
        yield from (path for path in (Path(place, name) for name in names) if path.is_file())


def stated_seconds(path):
    """Read the duration in a file's header, without decoding.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    float
        Seconds; 0.0 where the header states none.
    """
    try:
        info = soundfile.info(name_for_soundfile(path))
    except (OSError, soundfile.SoundFileError):
        return 0.0
    # a FLAC without a length has the highest number there is
    return info.duration if info.frames < 2**62 else 0.0


def output_names(paths):
    """Choose a name for each recording's transcript, the shortest kind by which all differ.

    Parameters
    ----------
    paths : list of Path
        All different.

    Returns
    -------
    list of PurePath
        File names without suffix; else paths from the folder that all are in, without suffix;
        else such paths with it.

    Examples
    --------
    >>> [str(name) for name in output_names([Path("x/a.wav"), Path("y/b.flac")])]
    ['a', 'b']
    >>> [name.as_posix() for name in output_names([Path("x/a.wav"), Path("y/a.wav")])]
    ['x/a', 'y/a']
    >>> [str(name) for name in output_names([Path("x/a.wav"), Path("x/a.mp3")])]
    ['a.wav', 'a.mp3']
    """
    folder = os.path.commonpath([path.absolute().parent for path in paths])
    below = [PurePath(path.absolute()).relative_to(folder) for path in paths]
    choices = [PurePath(path.stem) for path in paths], [path.with_suffix("") for path in below]
    return next((names for names in choices if len(set(names)) == len(paths)), below)
