"""The output folder: read in one place, written whole or not at all."""
