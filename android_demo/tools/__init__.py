"""Builds and checks the demo app without the Android SDK: `python -m android_demo.tools`.

Debian's packages and Maven artefacts pinned by SHA-256 are all it needs; no Python package but the kit itself.
"""
