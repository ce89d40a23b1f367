"""Compile an int8 `.tflite` into C that runs it row by row: no interpreter, no heap, no whole feature map in RAM.

read → legalise → schedule → plan → emit; each pass is a pure function from one frozen value to the next.
"""
