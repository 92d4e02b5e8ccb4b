"""Test-time decoders that return token ids, and the words of these ids."""
