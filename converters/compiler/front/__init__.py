"""Front end: from the file to a checked network."""
