"""Whether an MP3 file was cut, by its frames: the length that a decoder states is an estimate."""

# Layer III: kbit/s by the four bits of the header, for MPEG 1 and for MPEG 2 and 2.5
_BITRATES = (
    (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
)
_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}  # Hz
_LAYER_3 = 1
_LONGEST_GAP = 4096  # bytes before the first frame
_TAGS = (b"Xing", b"Info")  # of the encoder, in the first frame, with its count of frames


def why_cut(path):
    """Say by which of its frames an MP3 file is not whole.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    str
        Empty if its last frame is whole, and there are as many as its encoder counted, where it
        says so. Empty also for what is not understood.
    """
    with open(path, "rb") as file:
        content = memoryview(file.read())
    start = _after_id3(content)
    first, position, frames = start, start, 0
    while length := _frame_length(content[position : position + 4]):
        frames += 1
        if position + length > len(content):
            missing = position + length - len(content)
            return f"the last of {frames} frames lacks {missing} of {length} bytes"
        position += length
    stated = _stated_frames(bytes(content[first : first + 64]))
    if frames and stated > frames:
        return f"{frames} of {stated} frames"
    return ""


def _after_id3(content):
    """Give the position behind the tags at the start, whose lengths have seven bits a byte."""
    position = 0
    while bytes(content[position : position + 3]) == b"ID3" and len(content) > position + 10:
        size = 0
        for byte in content[position + 6 : position + 10]:
            size = size << 7 | byte
        position += 10 + size
    while position < min(len(content), _LONGEST_GAP) and not _frame_length(
        content[position : position + 4]
    ):
        position += 1
    return position


def _frame_length(header):
    """Give the bytes of the frame that begins with a header of four, 0 where none does."""
    if len(header) < 4 or header[0] != 0xFF or header[1] >> 5 != 7:
        return 0
    version, layer = header[1] >> 3 & 3, header[1] >> 1 & 3
    bitrate, rate, padding = header[2] >> 4, header[2] >> 2 & 3, header[2] >> 1 & 1
    if layer != _LAYER_3 or version not in _RATES or rate == 3 or bitrate in (0, 15):
        return 0
    first = version == 3
    kilobits = _BITRATES[not first][bitrate]
    return (144 if first else 72) * kilobits * 1000 // _RATES[version][rate] + padding


def _stated_frames(frame):
    """Read the encoder's count of the frames after the first, 0 where there is none."""
    tag = max(frame.find(tag) for tag in _TAGS)
    if tag < 0 or len(frame) < tag + 12 or not frame[tag + 7] & 1:
        return 0
    return int.from_bytes(frame[tag + 8 : tag + 12], "big")
