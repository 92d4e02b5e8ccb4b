"""One Brain and one data pipeline for every recipe."""
