"""Downloads of data sets: HTTPS only, limited in size, and verified before use.

The network modules are imported only for a download: importing them takes longer than finding a
data set that is already on the machine.
"""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from actcli import files
from actcli.datasets import idx
from actcli.datasets.catalogue import DATASETS, CatalogueEntry, CatalogueFile, cache_folder
from actcli.errors import ActcliError, DataError

if TYPE_CHECKING:
    import ssl
    from urllib.request import OpenerDirector

# Called with the name of a file, the bytes received so far, and the total bytes or None.
Progress = Callable[[str, int, int | None], None]

TIMEOUT_SECONDS = 20.0  # of waiting for the next byte
READ_BYTES = 1 << 16


def fetch(name: str, progress: Progress) -> Path:
    """Download a data set of the catalogue into the user's cache and return its folder.

    Raises:
        UsageError: no data set has that name.
        DataError: no mirror delivers one of the files.
        ActcliError: the cache cannot be written.
    """
    folder = cache_folder(name)
    download_files(DATASETS[name], folder, progress, https_opener())
    return folder


def download_files(
    source: CatalogueEntry, folder: Path, progress: Progress, opener: "OpenerDirector"
) -> None:
    """Download the files of a data set into a folder. Files that are complete there are kept.

    Each file comes from the first mirror that delivers the published SHA-256 within the size limit.
    Only then does it get its final name.

    Args:
        source: the entry of the catalogue.
        folder: the folder to write to; it is created if it does not exist.
        progress: called after each chunk.
        opener: opens URLs; see `https_opener`.

    Raises:
        DataError: no mirror delivers one of the files; the hint explains how to add them by hand.
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
            names = ", ".join(entry.name for entry in source.files)
            raise DataError(
                f"cannot download {file.name} ({'; '.join(faults)})", f"Put {names} into {folder}"
            )


def https_opener(context: "ssl.SSLContext | None" = None) -> "OpenerDirector":
    """Return a URL opener that speaks HTTPS and no other protocol.

    A redirection to another protocol fails, because no handler for it is installed; urllib's
    default opener would follow it to plain HTTP. Proxies are taken from the environment.
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
    file: CatalogueFile,
    mirror: str,
    folder: Path,
    progress: Progress,
    opener: "OpenerDirector",
) -> None:
    # Deflate stores data that it cannot compress, which adds less than a thousandth.
    max_bytes = file.size + file.size // 1000 + 1024
    with files.replace_atomically(folder / file.name) as target:
        count = 0
        for chunk, total in _read_url(mirror + file.name, opener):
            count += len(chunk)
            if count > max_bytes:
                raise DataError(f"more than the {max_bytes:,} bytes that it can have")
            target.write(chunk)
            progress(file.name, count, total)
        target.flush()
        if not _is_published(Path(target.name), file):
            raise DataError(f"its {count:,} bytes are not the published ones (SHA-256)")


def _read_url(url: str, opener: "OpenerDirector") -> Iterator[tuple[bytes, int | None]]:
    """Yield the content of a URL in chunks, each with the announced total length or None."""
    import http.client
    import urllib.error

    try:
        with opener.open(url, timeout=TIMEOUT_SECONDS) as response:
            announced = response.headers.get("Content-Length", "")
            while chunk := response.read(READ_BYTES):
                yield chunk, int(announced) if announced.isdecimal() else None
    except urllib.error.HTTPError as error:
        error.close()
        raise DataError(f"{error.code} {error.reason}") from error
    except urllib.error.URLError as error:
        raise DataError(str(getattr(error.reason, "strerror", None) or error.reason)) from error
    except (OSError, http.client.HTTPException) as error:
        raise DataError(str(error) or type(error).__name__) from error


def _is_published(path: Path, file: CatalogueFile) -> bool:
    """Return whether a file exists and has the published hash."""
    try:
        if file.hashed == "raw":
            return idx.raw_sha256(path, max_bytes=file.size) == file.sha256
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest() == file.sha256
    except (OSError, DataError):
        return False
