"""Awkward data sets of files that are not the person's and of packed files; see `tests.helpers.awkward`."""

from __future__ import annotations

import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from tests.helpers.awkward import TWO, case, classes, encoded, fill, picture, put, write

LEFT_OUT = "hidden, or left by systems and programs"


# Files that are not the person's --------------------------------------------------------------------------------


@case("not theirs", "cat dog", TWO, f"{LEFT_OUT} (2 × @eaDir): left out")
def thumbnails_of_synology(root: Path) -> None:
    classes(root)
    for name in ("cat", "dog"):
        for number in range(6):
            for size in ("XL", "M"):
                thumbnail = root / name / "@eaDir" / f"{number}.png" / f"SYNOPHOTO_THUMB_{size}.jpg"
                write(thumbnail, picture(str(thumbnail), "JPEG"))


@case("not theirs", "cat dog", TWO, f"{LEFT_OUT} (2 × .@__thumb): left out")
def thumbnails_of_qnap(root: Path) -> None:
    classes(root)
    for name in ("cat", "dog"):
        fill(root / name / ".@__thumb", 6)


@case("not theirs", "cat dog", TWO, f"{LEFT_OUT} (.thumbnails): left out")
def thumbnails_of_a_desktop(root: Path) -> None:
    classes(root)
    put(root, **{"cat__.thumbnails__normal": 6})


@case("not theirs", "cat dog", TWO, "6 thumbnails of other pictures (in thumbs): left out")
def thumbnails_beside_pictures(root: Path) -> None:
    classes(root)
    put(root, cat__thumbs=6)


@case("not theirs", "cat dog", TWO, f"{LEFT_OUT} (#recycle, $RECYCLE.BIN, @Recycle): left out")
def bins(root: Path) -> None:
    classes(root)
    put(root, **{"#recycle__cat": 3, "$RECYCLE.BIN__S-1-5": 3, "@Recycle": 2})


@case("not theirs", "cat dog", TWO, f"{LEFT_OUT} (2 × desktop.ini, .DS_Store, Thumbs.db): left out")
def files_of_desktops(root: Path) -> None:
    classes(root)
    for name in (".DS_Store", "cat/Thumbs.db", "cat/desktop.ini", "dog/desktop.ini"):
        write(root / name, b"\0")


@case("not theirs", "cat dog", TWO, f"{LEFT_OUT} (._0.png, ._1.png, ._2.png, ._3.png, …): left out")
def resource_forks(root: Path) -> None:
    classes(root)
    for number in range(6):
        write(root / "cat" / f"._{number}.png", b"\0\5\x16\7")


@case("not theirs", "cat dog", TWO, f"{LEFT_OUT} (2 × .ipynb_checkpoints, .git): left out")
def checkpoints_and_versions(root: Path) -> None:
    classes(root)
    put(root, **{"cat__.ipynb_checkpoints": 2, ".ipynb_checkpoints": 1, ".git__objects": 1})


@case("not theirs", "cat dog", TWO, f"{LEFT_OUT} (System Volume Information, lost+found): left out")
def a_whole_disk(root: Path) -> None:
    classes(root)
    put(root, **{"lost+found": 2, "System Volume Information": 1})


@case("not theirs", "cat dog", TWO, f"{LEFT_OUT} (Catalog Previews.lrdata): left out")
def previews_of_lightroom(root: Path) -> None:
    classes(root)
    put(root, **{"Catalog Previews.lrdata__0__01": 4})


@case("not theirs", "cat dog", TWO, "3 files are no pictures by their names (1 × .bak, 1 × .nef, 1 × .thm): ignored")
def copies_and_raw_pictures_of_cameras(root: Path) -> None:
    classes(root)
    write(root / "cat" / "0.png.bak", picture("backup"))
    write(root / "cat" / "0.nef", encoded(Image.new("RGB", (4, 4)), "TIFF"))
    write(root / "cat" / "0.thm", picture("film", "JPEG"))


@case("not theirs", "cat dog", TWO, f"{LEFT_OUT} (__MACOSX): left out")
def a_zip_of_a_mac(root: Path) -> Path:
    classes(root)
    names = [*packed(root), *((f"__MACOSX/cat/._{n}.png", b"\0\5\x16\7") for n in range(6))]
    return zipped(root, names)


@case("not theirs", "cat dog", TWO, "1 file is no picture by its name (1 × .zip): ignored")
def a_zip_in_a_zip(root: Path) -> Path:
    classes(root)
    inner = zipped(root, packed(root)).read_bytes()
    return zipped(root, [*packed(root), ("more.zip", inner)])


@case(
    "not theirs", refused="holds no pictures, only 2 × .zip; expected files such as .jpg or .png; unpack the archives"
)
def a_zip_for_each_class(root: Path) -> None:
    for name in ("cat", "dog"):
        write(root / f"{name}.zip", b"PK\3\4")


def packed(root: Path) -> list[tuple[str, bytes]]:
    """Return what lies below a folder."""
    paths = sorted(path for path in root.rglob("*") if path.is_file() and path.suffix != ".zip")
    return [(path.relative_to(root).as_posix(), path.read_bytes()) for path in paths]


def zipped(root: Path, files: list[tuple[str, bytes]], change: Callable[[bytes], bytes] = bytes) -> Path:
    """Write a zip file beside the folder, after a change of its bytes."""
    path = root.with_name(root.name + "-packed.zip")
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files:
            archive.writestr(name, data)
    path.write_bytes(change(path.read_bytes()))
    return path


# Pictures that are odd ------------------------------------------------------------------------------------------


@case("odd pictures", "cat dog", (24, 6, 10), "1 pictures skipped: cat/broken.jpg cannot be decoded", labelled=41)
def a_broken_picture(root: Path) -> None:
    classes(root, 20)
    write(root / "cat" / "broken.jpg", b"\xff\xd8\xff nothing")


@case("odd pictures", refused="3 of 43 pictures cannot be used: cat/page0.jpg cannot be decoded", labelled=43)
def pages_of_the_web_for_pictures(root: Path) -> None:
    classes(root, 20)
    for number in range(3):
        write(root / "cat" / f"page{number}.jpg", "<html>404</html>")


@case("odd pictures", "cat dog", (6, 4, 4))
def animations_inks_and_deep_grey(root: Path) -> None:
    classes(root, 5)
    frames = [Image.new("P", (9, 9), value) for value in (10, 200)]
    write(root / "cat" / "moving.gif", encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    write(root / "cat" / "ink.jpg", picture("ink", "JPEG", "CMYK"))
    deep = np.arange(80, dtype=np.uint16).reshape(8, 10) * 800
    write(root / "dog" / "deep.png", encoded(Image.fromarray(deep)))
    write(root / "dog" / "bilevel.tif", picture("bilevel", "TIFF", "1"))


# Pictures by their content --------------------------------------------------------------------------------------


@case(
    "content", "cat dog", TWO, "12 files are pictures by their content, not by their names (12 × no extension): taken"
)
def jpegs_without_an_ending(root: Path) -> None:
    for name in ("cat", "dog"):
        for number in range(6):
            write(root / name / f"IMG{number}", picture(f"{name}{number}", "JPEG"))


@case(
    "content",
    "cat dog",
    TWO,
    "(1 × .jpg_large, 1 × .txt): taken",
    "1 file is no picture by its name (1 × .md): ignored",
)
def endings_of_other_things(root: Path) -> None:
    classes(root, 5)
    write(root / "cat" / "a.jpg_large", picture("large", "JPEG"))
    write(root / "dog" / "b.txt", picture("text"))
    write(root / "readme.md", "BM is how bitmaps begin")


@case("content")
def endings_of_other_pictures(root: Path) -> None:
    for name in ("cat", "dog"):
        for number, form in enumerate(("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")):
            write(root / name / f"{number}.jpg", picture(f"{name}{form}", form))


HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40)
MISSING = "cannot be read without pillow-heif: pip install pillow-heif"


@case("content", refused="holds no pictures, only 12 × .heic", options="")
def heic_without_its_library(root: Path) -> None:
    for name in ("cat", "dog"):
        for number in range(6):
            write(root / name / f"{number}.heic", HEIC)


@case("content", "cat dog", TWO, f"2 × .heic {MISSING}", f"1 × no extension {MISSING}")
def some_heic_without_its_library(root: Path) -> None:
    classes(root)
    for name in ("cat/a.heic", "dog/b.HEIC", "dog/c"):
        write(root / name, HEIC)


@case("content", refused="0.jpg is in a format that pillow-heif would read", labelled=12)
def heic_that_is_called_jpg(root: Path) -> None:
    for name in ("cat", "dog"):
        for number in range(6):
            write(root / name / f"{number}.jpg", HEIC + bytes([number]))


@case("content", refused="expected at most 5%; pip install pillow-heif, or save it as JPEG", labelled=12)
def heic_that_is_called_jpg_and_what_to_do(root: Path) -> None:
    heic_that_is_called_jpg(root)


def pointer(number: int) -> str:
    """Return what git-LFS leaves for a file."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{number:064x}\nsize 12345\n"


@case(
    "content",
    refused="12 of 12 pictures cannot be used: cat/0.jpg is a pointer of Git LFS, which stands for the file; ",
)
def pointers_of_git_lfs(root: Path) -> None:
    for name in ("cat", "dog"):
        for number in range(6):
            write(root / name / f"{number}.jpg", pointer(number + 10 * (name == "cat")))


@case("content", refused="expected at most 5%; fetch the file itself with: git lfs pull")
def pointers_of_git_lfs_and_what_to_do(root: Path) -> None:
    pointers_of_git_lfs(root)


@case(
    "content",
    refused="labels.csv is a pointer of Git LFS, which stands for the file; expected the table; fetch the file itself",
)
def a_table_that_is_a_pointer(root: Path) -> None:
    classes(root)
    write(root / "labels.csv", pointer(1))


def file_beside(root: Path, name: str, data: bytes | str) -> Path:
    """Write one file to give as the data set."""
    path = root.with_name(name)
    write(path, data)
    return path


@case(
    "archives",
    refused="data.zip is a pointer of Git LFS, which stands for the file; expected a folder of",
)
def a_zip_that_is_a_pointer(root: Path) -> Path:
    return file_beside(root, "data.zip", pointer(1))


def tarred(root: Path, name: str, mode: Literal["w", "w:gz"]) -> Path:
    """Write both classes into an archive beside the folder."""
    classes(root)
    with tarfile.open(root.with_name(name), mode) as archive:
        archive.add(root, "data")
    return root.with_name(name)


@case("archives", refused="data.tar.gz is a gzip archive; expected a folder of pictures or a .zip; unpack it first")
def a_tar_gz(root: Path) -> Path:
    return tarred(root, "data.tar.gz", "w:gz")


@case("archives", refused="data.tar is a tar archive; expected a folder of pictures or a .zip; unpack it first")
def a_tar(root: Path) -> Path:
    return tarred(root, "data.tar", "w")


@case("archives", refused="data.rar is a RAR archive; expected a folder of pictures or a .zip; unpack it first")
def a_rar(root: Path) -> Path:
    return file_beside(root, "data.rar", b"Rar!\x1a\7\1\0")


@case("archives", refused="data.zip is a 7z archive; expected a folder of pictures or a .zip; unpack it first")
def a_7z_that_is_called_zip(root: Path) -> Path:
    return file_beside(root, "data.zip", b"7z\xbc\xaf'\x1c\0\4")


@case("archives", refused="download is a file; expected a folder of pictures or a .zip; call it .zip")
def a_zip_without_an_ending(root: Path) -> Path:
    classes(root)
    return zipped(root, packed(root)).rename(root.with_name("download"))


@case("archives", refused="labels.csv is a file; expected a folder of pictures or a .zip; give ")
def a_table_in_place_of_its_folder(root: Path) -> Path:
    classes(root)
    return file_beside(root, "labels.csv", "file,label\n")


@case("archives", refused="pipe is a pipe or device; expected a folder of pictures or a .zip")
def a_pipe(root: Path) -> Path:
    os.mkfifo(root.with_name("pipe"))
    return root.with_name("pipe")
