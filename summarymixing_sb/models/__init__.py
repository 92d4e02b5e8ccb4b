"""Whole models: front end, encoder-decoder and transducer predictor."""
