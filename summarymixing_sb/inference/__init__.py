"""Trained models at work: transcription of recordings of any length, and of streams."""
