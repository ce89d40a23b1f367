"""Onto a device: boards, what a model needs of them, firmware, flashing, the Android app's assets."""
