# The computer that builds, with its own compiler.
CORE := host
