"""Searches from the encoder's output to token ids."""
