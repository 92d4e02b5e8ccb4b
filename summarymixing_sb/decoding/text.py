"""Words from token ids, of whole utterances and of streams."""

from summarymixing_sb.data.tokenizer import WORD_BOUNDARY


class Detokenizer:
    """Turn token ids into words.

    Parameters
    ----------
    tokenizer : sentencepiece.SentencePieceProcessor
    """

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer
        self.size = tokenizer.get_piece_size()
        self.silent = {
            index
            for index in range(self.size)
            if tokenizer.is_control(index) or tokenizer.is_unknown(index)
        }

    def writable(self, ids):
        """Drop control and unknown pieces, which stand for no text.

        Parameters
        ----------
        ids : list of int

        Returns
        -------
        list of int
        """
        return [index for index in ids if index not in self.silent]

    def words(self, ids):
        """Split the text of token ids into words.

        Parameters
        ----------
        ids : list of int

        Returns
        -------
        list of str
        """
        return self.tokenizer.decode(self.writable(ids)).split()

    def word_spans(self, ids):
        """Find which token ids spell each word.

        A piece may spell no word (a boundary alone), a part of a character (a byte), or parts of
        several words, so the spans are read off the text that grows with each piece.

        Parameters
        ----------
        ids : list of int
            Writable ones.

        Returns
        -------
        list of (str, int, int)
            Each word, and the positions in ``ids`` of its first and its last piece.
        """
        before, first, last = [], [], []
        for index in range(len(ids)):
            words = self.tokenizer.decode(ids[: index + 1]).split()
            if words == before:
                continue
            kept = len(before) if words[: len(before)] == before else len(before) - 1
            last[kept:] = [index] * (len(words) - kept)
            first += [index] * (len(words) - len(first))
            before = words
        return list(zip(before, first, last))

    def check_outputs(self, outputs):
        """Refuse a model with another vocabulary.

        Parameters
        ----------
        outputs : int
            How many CTC outputs the model has.

        Raises
        ------
        ValueError
            If the tokenizer has another number of pieces.
        """
        if outputs != self.size:
            raise ValueError(
                f"the model has {outputs} CTC outputs and the tokenizer {self.size} pieces: use "
                "the tokenizer that the model was trained with"
            )


class StreamingDetokenizer:
    """Turn token ids that come one after the other into text, one space between words.

    SentencePiece drops a space at the start of what it decodes, which is the start of a text only
    once. (SpeechBrain's function for this asks for what newer versions of SentencePiece refuse.)

    Parameters
    ----------
    tokenizer : sentencepiece.SentencePieceProcessor
    """

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer
        self.writable = Detokenizer(tokenizer).writable
        self.begun = False
        self.space = ""  # after what was written, if a word begins next
        self.unfinished = []

    def __call__(self, ids):
        """Write the next token ids.

        Parameters
        ----------
        ids : list of int

        Returns
        -------
        str
            That of bytes only once another piece ends the character.
        """
        ids = self.unfinished + self.writable(ids)
        end = len(ids)
        while end and self.tokenizer.is_byte(ids[end - 1]):
            end -= 1
        self.unfinished = ids[end:]
        return self._write(ids[:end])

    def finish(self):
        """Write what is left at the end of the stream.

        Returns
        -------
        str
        """
        return self._write(self.unfinished)

    def _write(self, ids):
        if not ids:
            return ""
        begins_word = self.tokenizer.id_to_piece(ids[0]).startswith(WORD_BOUNDARY)
        text = self.space + " " * begins_word + self.tokenizer.decode(ids)
        words = " ".join(text.split())
        self.space = " " if text[-1:].isspace() else ""
        if words and self.begun and text[0].isspace():
            words = " " + words
        self.begun = self.begun or bool(words)
        return words
