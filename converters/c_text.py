"""Pieces of C text: literals, comments, guards. Pure string functions; the same input gives the same text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import numpy as np

BYTES_A_LINE = 12

# Reserved words of C89–C23 and C++20: a name must be none of them, as headers serve both.
_RESERVED = re.compile(
    "alignas|alignof|and|and_eq|asm|auto|bitand|bitor|bool|break|case|catch|char|char16_t|char32_t|char8_t|class|"
    "co_await|co_return|co_yield|compl|concept|const|const_cast|consteval|constexpr|constinit|continue|decltype|"
    "default|delete|do|double|dynamic_cast|else|enum|explicit|export|extern|false|float|for|friend|goto|if|inline|int|"
    "long|mutable|namespace|new|noexcept|not|not_eq|nullptr|operator|or|or_eq|private|protected|public|register|"
    "reinterpret_cast|requires|restrict|return|short|signed|sizeof|static|static_assert|static_cast|struct|switch|"
    "template|this|thread_local|throw|true|try|typedef|typeid|typename|typeof|typeof_unqual|union|unsigned|using|"
    "virtual|void|volatile|wchar_t|while|xor|xor_eq"
)


def identifier(name: str) -> str:
    """Return `name` if it can be an identifier in C and C++.

    Raises:
      ValueError: it has other characters, is a reserved word, or begins with an underscore.
    """
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) or "__" in name or _RESERVED.fullmatch(name):
        raise ValueError(f"{name!r} cannot be a name in C; expected letters, digits and single underscores")
    return name


def string_literal(text: str) -> str:
    r"""Return a C string literal of the UTF-8 bytes of `text`, in plain ASCII.

    Octal escapes have three digits, so a digit after one is not swallowed; `\?` keeps trigraphs apart.

    >>> string_literal('caf\u00e9 "1" ??/')
    '"caf\\303\\251 \\"1\\" \\?\\?/"'

    Raises:
      ValueError: the text holds a NUL, which would end the string.
    """
    if "\0" in text:
        raise ValueError(f"{text!r} holds a NUL character, which would end a C string")
    return '"' + "".join(_escaped(byte) for byte in text.encode("utf-8")) + '"'


def _escaped(byte: int) -> str:
    char = chr(byte)
    if char in '"\\?':
        return f"\\{char}"
    return char if 0x20 <= byte < 0x7F else f"\\{byte:03o}"


def float_literal(value: float) -> str:
    """Return the shortest float literal that reads back as the same float32.

    >>> float_literal(1 / 255), float_literal(1.0)
    ('0.003921569f', '1.0f')

    Raises:
      ValueError: the value is not finite.
    """
    with np.errstate(over="ignore"):  # what overflows is refused below
        number = np.float32(value)
    if not np.isfinite(number):
        raise ValueError(f"{value} is not a finite float32")
    return f"{np.format_float_scientific(number, trim='0')}f" if _extreme(number) else f"{number!s}f"


def _extreme(number: np.float32) -> bool:
    return number != 0 and not 1e-4 <= abs(float(number)) < 1e9


def comment(title: str, fields: Mapping[str, str]) -> str:
    """Return a block comment: a title, then one line for each field."""
    width = max((len(key) for key in fields), default=0)
    lines = [f" *   {harmless(key):<{width}}  {harmless(value)}".rstrip() for key, value in fields.items()]
    return "\n".join([f"/* {harmless(title)}", *lines, " */"])


def harmless(text: str) -> str:
    """Make text safe inside a comment: one ASCII line that neither ends the comment nor opens another."""
    text = " ".join(str(text).split()).encode("ascii", "backslashreplace").decode()
    return text.replace("*/", "* /").replace("/*", "/ *").replace("??/", "? ?/")


def guarded(file_name: str, body: str, prefix: str) -> str:
    """Return the text of a header with an include guard."""
    guard = f"{prefix}_{re.sub('[^A-Za-z0-9]', '_', file_name)}".upper()
    return f"#ifndef {guard}\n#define {guard}\n\n{body}\n\n#endif /* {guard} */\n"


def byte_rows(data: bytes) -> str:
    """Return array elements, 12 bytes a line, each line with its offset."""
    rows = (data[start : start + BYTES_A_LINE] for start in range(0, len(data), BYTES_A_LINE))
    return "\n".join(
        f"    {' '.join(f'0x{byte:02x},' for byte in row)} /* 0x{index * BYTES_A_LINE:06x} */"
        for index, row in enumerate(rows)
    )


def defines(values: Iterable[tuple[str, str]]) -> str:
    """Return one `#define` a line."""
    return "\n".join(f"#define {name} {value}" for name, value in values)


def extern_c(body: str) -> str:
    """Return declarations with C linkage in both languages."""
    return f'#ifdef __cplusplus\nextern "C" {{\n#endif\n\n{body}\n\n#ifdef __cplusplus\n}}\n#endif'
