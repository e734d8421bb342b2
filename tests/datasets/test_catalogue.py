"""Named data sets: where they are looked for, and downloads from real servers on this machine."""

import email.message
import gzip
import hashlib
import http.server
import io
import shutil
import ssl
import subprocess
import threading
import urllib.error
import urllib.request
import urllib.response
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from actcli import files
from actcli.datasets import catalogue, download, idx
from actcli.datasets.catalogue import DATASETS, CatalogueEntry, CatalogueFile
from actcli.errors import ActcliError, DataError, UsageError
from actcli.registry import declared_names

MNIST = Path(__file__).parents[2] / "data" / "mnist"
RAW = {name: bytes([0, 0, 8, 1, 0, 0, 0, 3, 1, 2, len(name)]) for name in idx.FILE_NAMES}
PACKED = {f"{name}.gz": gzip.compress(raw, mtime=0) for name, raw in RAW.items()}


def silent(name: str, count: int, total: int | None) -> None:
    """Report nothing."""


def source(*mirrors: str, of: str = "raw") -> CatalogueEntry:
    def file(name: str) -> CatalogueFile:
        content = RAW[name] if of == "raw" else PACKED[f"{name}.gz"]
        return CatalogueFile(f"{name}.gz", len(RAW[name]), hashlib.sha256(content).hexdigest(), of)

    return replace(DATASETS["mnist"], files=tuple(map(file, idx.FILE_NAMES)), mirrors=mirrors)


class Handler(http.server.BaseHTTPRequestHandler):
    """One path for each way in which a mirror can behave."""

    def do_GET(self) -> None:
        _, mirror, name = self.path.split("/")
        if mirror in {"missing", "partly"} and (mirror == "missing" or name.startswith("t10k")):
            self.send_error(404)
        elif mirror == "endless":
            self.send_response(200)
            self.end_headers()
            while not self.server.stopped.is_set():
                self.wfile.write(bytes(1 << 16))
        else:
            body = {
                "good": PACKED[name],
                "partly": PACKED[name],
                "repacked": gzip.compress(RAW[name.removesuffix(".gz")], 1, mtime=1),
                "plain": RAW[name.removesuffix(".gz")],
                "wrong": gzip.compress(b"something else"),
                "short": PACKED[name][:-4],
            }[mirror]
            self.send_response(200)
            announced = PACKED[name] if mirror == "short" else body
            self.send_header("Content-Length", str(len(announced)))
            self.end_headers()
            self.wfile.write(body)
        self.server.asked.append(self.path)

    def handle(self) -> None:
        try:
            super().handle()
        except ConnectionError:
            self.server.hung_up.set()

    def log_message(self, *args: object) -> None:
        """Keep the tests' output clean."""


class Server(http.server.ThreadingHTTPServer):
    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []
        self.stopped = threading.Event()
        self.hung_up = threading.Event()
        self.scheme = "http"
        if context:
            self.socket = context.wrap_socket(self.socket, server_side=True)
            self.scheme = "https"

    def mirror(self, name: str) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_port}/{name}/"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that refuses our certificate hangs up; that is no fault of the server."""


@contextmanager
def running(server: Server) -> Iterator[Server]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.stopped.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    with running(Server()) as server:
        yield server


@pytest.fixture
def opener() -> urllib.request.OpenerDirector:
    """Plain HTTP, without a proxy: HTTPS has tests of its own."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))


@pytest.fixture
def places(tmp_path, monkeypatch) -> Path:
    """An empty machine: its cache, its shared folder and `$ACTCLI_DATA_DIR` lie in `tmp_path`."""
    monkeypatch.setenv("ACTCLI_DATA_DIR", str(tmp_path / "given"))
    monkeypatch.setattr(catalogue.platformdirs, "user_cache_dir", lambda *_, **__: tmp_path / "hid")
    monkeypatch.setattr(catalogue, "SHARED_FOLDER", tmp_path / "shared")
    return tmp_path


def fill(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name in idx.FILE_NAMES:
        shutil.copy(MNIST / f"{name}.gz", folder)
    return folder


# The entries.


def test_the_names_are_read_without_importing():
    assert declared_names("actcli.datasets.catalogue", "DATASETS") == tuple(DATASETS)
    assert set(DATASETS) == {"mnist", "fashion-mnist", "kmnist"}


@pytest.mark.parametrize("name", DATASETS)
def test_entries_are_complete(name):
    entry = DATASETS[name]
    assert [file.name for file in entry.files] == [f"{name}.gz" for name in idx.FILE_NAMES]
    assert [file.size for file in entry.files] == [47_040_016, 60_008, 7_840_016, 10_008]
    digests = {file.sha256 for file in entry.files}
    assert len(digests) == 4
    assert all(len(digest) == 64 and int(digest, 16) for digest in digests)
    assert entry.mirrors
    assert all(mirror.startswith("https://") and mirror.endswith("/") for mirror in entry.mirrors)
    assert len(set(entry.classes)) == 10
    assert entry.title
    assert entry.licence
    assert entry.homepage


def test_the_bundled_files_have_the_published_bytes():
    for file in DATASETS["mnist"].files:
        assert idx.raw_sha256(MNIST / file.name, max_bytes=file.size) == file.sha256


# Where a set is found.


def test_the_search_order(places):
    assert catalogue.find_dataset("mnist") == files.packaged_folder("data") / "mnist"
    shared = fill(places / "shared" / "mnist")
    assert catalogue.find_dataset("mnist") == shared
    cached = fill(places / "hid" / "mnist")
    assert catalogue.find_dataset("mnist") == cached
    given = fill(places / "given" / "mnist")
    assert catalogue.find_dataset("mnist") == given


def test_the_given_folder_serves_only_the_set_whose_name_it_bears(places, monkeypatch):
    folder = fill(places / "mnist")
    monkeypatch.setenv("ACTCLI_DATA_DIR", str(folder))
    assert catalogue.find_dataset("mnist") == folder
    assert catalogue.find_dataset("fashion-mnist") is None


def test_a_folder_that_lacks_a_file_is_passed_over(places):
    folder = fill(places / "given" / "mnist")
    (folder / "t10k-labels-idx1-ubyte.gz").unlink()
    assert catalogue.find_dataset("mnist") == files.packaged_folder("data") / "mnist"


def test_an_unknown_name(places):
    with pytest.raises(UsageError, match="Did you mean 'kmnist'"):
        catalogue.find_dataset("kmnst")


def test_the_cache_is_the_users(monkeypatch, tmp_path):
    monkeypatch.delenv("ACTCLI_DATA_DIR", raising=False)
    monkeypatch.setattr(catalogue, "SHARED_FOLDER", tmp_path / "shared")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    downloaded = {}
    monkeypatch.setattr(
        download, "download_files", lambda source, folder, *_: downloaded.update({folder: source})
    )
    folder = download.fetch("kmnist", silent)
    assert downloaded == {folder: DATASETS["kmnist"]}
    fill(folder)
    assert catalogue.find_dataset("kmnist") == folder


# Downloads.


@pytest.mark.parametrize("of", ["raw", "gz"])
def test_download(tmp_path, server, opener, of):
    calls = []
    folder = tmp_path / "new" / "folder"
    download.download_files(
        source(server.mirror("good"), of=of), folder, lambda *args: calls.append(args), opener
    )
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == PACKED
    assert calls == [(name, len(body), len(body)) for name, body in PACKED.items()]
    np.testing.assert_array_equal(idx.read_idx(folder / "t10k-labels-idx1-ubyte.gz"), [1, 2, 22])


def test_what_is_there_is_not_asked_for_again(tmp_path, server, opener):
    partly, good = (source(server.mirror(name)) for name in ("partly", "good"))
    with pytest.raises(DataError, match="cannot download t10k-images"):
        download.download_files(partly, tmp_path, silent, opener)
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(b"damaged since")
    server.asked.clear()
    download.download_files(good, tmp_path, silent, opener)
    assert server.asked == [
        "/good/train-labels-idx1-ubyte.gz",
        "/good/t10k-images-idx3-ubyte.gz",
        "/good/t10k-labels-idx1-ubyte.gz",
    ]
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == PACKED


@pytest.mark.parametrize("bad", ["wrong", "missing", "endless", "short"])
def test_the_next_mirror_serves(tmp_path, server, opener, bad):
    entry = source(server.mirror(bad), server.mirror("good"))
    download.download_files(entry, tmp_path, silent, opener)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == PACKED


def test_a_server_that_is_down_is_passed_over(tmp_path, server, opener):
    entry = source("http://127.0.0.1:1/", server.mirror("good"))
    download.download_files(entry, tmp_path, silent, opener)
    assert len(list(tmp_path.iterdir())) == 4


def test_another_packers_gzip_is_right_if_the_raw_bytes_are(tmp_path, server, opener):
    download.download_files(source(server.mirror("repacked")), tmp_path, silent, opener)
    entry = source(server.mirror("repacked"), of="gz")
    with pytest.raises(DataError, match="not the published ones"):
        download.download_files(entry, tmp_path / "other", silent, opener)


def test_an_endless_body_is_bounded(tmp_path, server, opener):
    counts = []
    with pytest.raises(DataError, match="more than the 1,035 bytes that it can have"):
        download.download_files(
            source(server.mirror("endless")), tmp_path, lambda *args: counts.append(args), opener
        )
    assert counts == []
    assert server.hung_up.wait(5)
    assert list(tmp_path.iterdir()) == []


def test_when_all_mirrors_fail(tmp_path, server, opener):
    mirrors = (server.mirror("missing"), server.mirror("wrong"), "http://127.0.0.1:1/")
    with pytest.raises(DataError) as caught:
        download.download_files(source(*mirrors), tmp_path, silent, opener)
    assert caught.value.message == (
        "cannot download train-images-idx3-ubyte.gz (127.0.0.1: 404 Not Found; 127.0.0.1: "
        "its 34 bytes are not the published ones (SHA-256); 127.0.0.1: Connection refused)"
    )
    assert caught.value.hint == (
        "Put train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz, "
        f"t10k-labels-idx1-ubyte.gz into {tmp_path}"
    )
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_download_leaves_nothing(tmp_path, server, opener):
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download.download_files(source(server.mirror("good")), tmp_path, interrupt, opener)
    assert list(tmp_path.iterdir()) == []


def test_a_cache_that_cannot_be_made(tmp_path, server, opener):
    (tmp_path / "file").touch()
    with pytest.raises(ActcliError, match=r"cannot make the folder .*: Not a directory"):
        download.download_files(
            source(server.mirror("good")), tmp_path / "file" / "x", silent, opener
        )


# HTTPS, and nothing else.


def test_plain_http_is_refused(tmp_path, server):
    with pytest.raises(DataError, match="unknown url type: http"):
        download.download_files(
            source(server.mirror("good")), tmp_path, silent, download.https_opener()
        )
    assert server.asked == []


@pytest.mark.parametrize("target", ["http://127.0.0.1:{port}/good/x", "file:///etc/hostname"])
def test_a_redirection_away_from_https_is_refused(server, target):
    class Redirecting(urllib.request.BaseHandler):
        handler_order = 100

        def https_open(self, request: urllib.request.Request) -> urllib.response.addinfourl:
            headers = email.message.Message()
            headers["Location"] = target.format(port=server.server_port)
            response = urllib.response.addinfourl(io.BytesIO(), headers, request.full_url, 302)
            response.msg = "Found"
            return response

    opener = download.https_opener()
    opener.add_handler(Redirecting())
    with pytest.raises(urllib.error.URLError, match=r"unknown url type: http|not allowed"):
        opener.open("https://example.org/x")
    assert server.asked == []


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
def test_https(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subject = ("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")
    files = ("-keyout", key, "-out", certificate)
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *files, *subject]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with running(Server(context)) as server:
        entry = source(server.mirror("good"))
        with pytest.raises(DataError, match="certificate verify failed"):
            download.download_files(entry, tmp_path / "data", silent, download.https_opener())
        trusting = download.https_opener(ssl.create_default_context(cafile=certificate))
        download.download_files(entry, tmp_path / "data", silent, trusting)
    assert len(list((tmp_path / "data").iterdir())) == 4
