"""Trained models leave their run: folders that SpeechBrain loads and that a hub wants."""
