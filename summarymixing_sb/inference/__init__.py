"""Transcription of recordings of any length, and of streams, with trained runs."""
