"""Small spoken corpora, made on the spot by espeak-ng in the file layouts of public datasets."""
