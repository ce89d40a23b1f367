"""The one judge: every edge between runtimes, every layer, and the verdict."""
