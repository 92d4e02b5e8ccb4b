"""The predictor of a transducer, which reads what has been written so far.

Letters: B batch, U tokens.
"""

import torch
from speechbrain.nnet.embedding import Embedding
from speechbrain.nnet.RNN import LSTM
from torch import nn


class Predictor(nn.Module):
    """An embedding and an LSTM, both SpeechBrain's: the stateful predictor of RNN transducers.

    The start of a sentence is the blank, which a sentence never holds.

    Parameters
    ----------
    vocabulary : int
        Number of pieces, blank included.
    size : int
        Width of the embedding and of the LSTM.
    num_layers : int
        Layers of the LSTM.
    dropout : float
        Between layers of the LSTM.

    Attributes
    ----------
    embedding : speechbrain.nnet.embedding.Embedding
    lstm : speechbrain.nnet.RNN.LSTM

    References
    ----------
    A. Graves, "Sequence Transduction with Recurrent Neural Networks", arXiv 1211.3711; the sizes
    of the YAML files are those of arXiv 2409.07165.

    Examples
    --------
    >>> predictor = Predictor(vocabulary=30, size=16)
    >>> tokens = torch.randint(30, (4, 7))
    >>> predicted, state = predictor(tokens)
    >>> predicted.shape
    torch.Size([4, 7, 16])
    >>> continued, _ = predictor(tokens[:, :1], state)
    >>> continued.shape
    torch.Size([4, 1, 16])
    """

    def __init__(self, vocabulary, size, num_layers=1, dropout=0.0):
        super().__init__()
        self.embedding = Embedding(num_embeddings=vocabulary, embedding_dim=size)
        self.lstm = LSTM(size, input_size=size, num_layers=num_layers, dropout=dropout)

    def forward(self, tokens, hidden=None):
        """Read tokens, from the start of a sentence or going on from a state.

        Parameters
        ----------
        tokens : torch.Tensor
            (B, U) integers.
        hidden : tuple of torch.Tensor, optional
            The LSTM's state after the tokens before these.

        Returns
        -------
        torch.Tensor, tuple of torch.Tensor
            (B, U, size) and the LSTM's state, two of (layers, B, size).
        """
        # In half precision, oneDNN has an LSTM only for processors that compute in it.
        with torch.autocast("cpu", enabled=False):
            return self.lstm(self.embedding(tokens), hidden)
