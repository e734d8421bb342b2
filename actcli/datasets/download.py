"""Getting the files of a data set from the web: over HTTPS, bounded, and checked before use.

The network modules are imported only when something is downloaded: they take longer to import than
a data set that is here takes to be found.
"""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from actcli import files
from actcli.datasets import idx
from actcli.datasets.catalogue import DATASETS, File, Source, cache_folder
from actcli.errors import ActcliError, DataError

if TYPE_CHECKING:
    import ssl
    from urllib.request import OpenerDirector

# Called with a file's name, how many of its bytes are here, and how many there will be, if known.
Progress = Callable[[str, int, int | None], None]

TIMEOUT = 20.0  # seconds without a single byte
CHUNK = 1 << 16


def fetch(name: str, progress: Progress) -> Path:
    """Download a named data set into the user's cache; the folder that it lies in then.

    Raises:
        UsageError: no data set has that name.
        DataError: no mirror gives one of the files.
        ActcliError: the cache cannot be written.
    """
    folder = cache_folder(name)
    download(DATASETS[name], folder, progress, https_opener())
    return folder


def download(source: Source, folder: Path, progress: Progress, opener: "OpenerDirector") -> None:
    """Fill a folder with the files of a source; those that are there and right are kept.

    Each file comes from the first mirror that gives it whole, in no more bytes than it can have,
    with the SHA-256 that was published. It has its name only then.

    Raises:
        DataError: no mirror gives one of the files; the hint says what to put where by hand.
        ActcliError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ActcliError(f"cannot make the folder {folder}: {error.strerror}") from error
    for file in source.files:
        if _is_published(folder / file.name, file):
            continue
        faults = []
        for mirror in source.mirrors:
            try:
                _download(file, mirror, folder, progress, opener)
            except DataError as error:
                faults.append(f"{urlsplit(mirror).hostname}: {error.message}")
            else:
                break
        else:
            names = ", ".join(each.name for each in source.files)
            raise DataError(
                f"cannot download {file.name} ({'; '.join(faults)})", f"Put {names} into {folder}"
            )


def https_opener(context: "ssl.SSLContext | None" = None) -> "OpenerDirector":
    """What opens addresses for `download`: it speaks HTTPS and nothing else.

    A redirection to another protocol, which urllib's own opener would follow to plain HTTP, has
    nobody to handle it here. Proxies are taken from the environment.
    """
    import urllib.request

    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPSHandler(context=context),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
    ):
        opener.add_handler(handler)
    opener.addheaders = [("User-Agent", "actcli")]
    return opener


def _download(
    file: File,
    mirror: str,
    folder: Path,
    progress: Progress,
    opener: "OpenerDirector",
) -> None:
    # Deflate falls back to stored blocks, which add less than a thousandth.
    at_most = file.size + file.size // 1000 + 1024
    with files.replacing(folder / file.name) as target:
        count = 0
        for chunk, total in _body(mirror + file.name, opener):
            count += len(chunk)
            if count > at_most:
                raise DataError(f"more than the {at_most:,} bytes that it can have")
            target.write(chunk)
            progress(file.name, count, total)
        target.flush()
        if not _is_published(Path(target.name), file):
            raise DataError(f"its {count:,} bytes are not the published ones (SHA-256)")


def _body(url: str, opener: "OpenerDirector") -> Iterator[tuple[bytes, int | None]]:
    """The pieces of what lies at an address, each with the length of the whole, if announced."""
    import http.client
    import urllib.error

    try:
        with opener.open(url, timeout=TIMEOUT) as response:
            announced = response.headers.get("Content-Length", "")
            while chunk := response.read(CHUNK):
                yield chunk, int(announced) if announced.isdecimal() else None
    except urllib.error.HTTPError as error:
        error.close()
        raise DataError(f"{error.code} {error.reason}") from error
    except urllib.error.URLError as error:
        raise DataError(str(getattr(error.reason, "strerror", None) or error.reason)) from error
    except (OSError, http.client.HTTPException) as error:
        raise DataError(str(error) or type(error).__name__) from error


def _is_published(path: Path, file: File) -> bool:
    """Whether a file is there and is what its publishers offer."""
    try:
        if file.of == "raw":
            return idx.sha256(path, at_most=file.size) == file.sha256
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest() == file.sha256
    except (OSError, DataError):
        return False
