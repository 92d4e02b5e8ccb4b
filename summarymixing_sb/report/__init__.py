"""A page about a run: one HTML file with its curves, scores and worst utterances, to listen to."""
