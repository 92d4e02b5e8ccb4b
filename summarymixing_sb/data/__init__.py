"""From a dataset's files to batches of waveforms and targets."""
