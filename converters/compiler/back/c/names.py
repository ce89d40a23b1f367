"""What a compiled model can be called: its name begins every name in its C, and the names of its files."""

from __future__ import annotations

import re

from converters.c_text import identifier

# Headers of C23, and what headers of common C libraries and Arduino's include: as the folder is on the include path, a
# file of such a name would be found in their place. Some file systems do not tell `String.h` from `string.h`.
_HEADERS = re.compile(
    "alloca|arduino|arm_acle|arm_mve|assert|complex|ctype|endian|errno|features|fenv|float|inttypes|iso646|limits|"
    "locale|malloc|math|memory|newlib|pthread|sched|setjmp|signal|stdalign|stdarg|stdatomic|stdbit|stdbool|stdckdint|"
    "stddef|stdint|stdio|stdlib|stdnoreturn|string|strings|tgmath|threads|time|uchar|unistd|wchar|wctype",
    re.IGNORECASE,
)


def model_name(name: str) -> str:
    """Return `name` if a model can be called so.

    Raises:
      ValueError: it cannot be a name in C, is the C library's own, or NAME.h would hide a header of the compiler's.
    """
    identifier(name)
    if name.lower().startswith("sqz"):
        raise ValueError(f"{name!r} cannot be the model's name: the C library's own names begin with sqz")
    if _HEADERS.fullmatch(name):
        raise ValueError(f"{name!r} cannot be the model's name: {name}.h would hide a header of the compiler's")
    return name
