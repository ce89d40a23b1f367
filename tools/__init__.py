"""Benches and measurements of this repository; nothing here is shipped."""
