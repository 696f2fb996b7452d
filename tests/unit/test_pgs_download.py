"""Downloading from the PGS Catalog, from a catalog of our own."""

import functools
import hashlib
import threading
from http.server import HTTPServer, SimpleHTTPRequestHandler

import pytest

from contigwas.pgs.download import download_score
from contigwas.runtime.errors import UserError


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def catalog(tmp_path):
    """A catalog with one score: its address and its folder."""
    folder = tmp_path / "catalog"
    place = folder / "PGS000001" / "ScoringFiles" / "Harmonized"
    place.mkdir(parents=True)
    (place / "PGS000001_hmPOS_GRCh37.txt.gz").write_bytes(b"weights")
    reported = hashlib.md5(b"weights").hexdigest()
    (place / "PGS000001_hmPOS_GRCh37.txt.gz.md5").write_text(f"{reported}  PGS000001_hmPOS_GRCh37.txt.gz\n")
    server = HTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", place
    server.shutdown()
    server.server_close()


def test_a_score_arrives_whole(catalog, tmp_path):
    download_score("PGS000001", "GRCh37", f"{catalog[0]}/", tmp_path / "new" / "x.txt.gz")
    assert (tmp_path / "new" / "x.txt.gz").read_bytes() == b"weights"


def test_refusals(catalog, tmp_path):
    address, place = catalog
    for score, build in (("PGS000002", "GRCh37"), ("PGS000001", "GRCh38")):
        with pytest.raises(UserError, match=rf"score {score} is not at .*{build}.*HTTP 404.*check pgs.download"):
            download_score(score, build, address, tmp_path / "x.txt.gz")
    (place / "PGS000001_hmPOS_GRCh37.txt.gz").write_bytes(b"weig")
    with pytest.raises(UserError, match="another MD5 sum"):
        download_score("PGS000001", "GRCh37", address, tmp_path / "x.txt.gz")
    with pytest.raises(UserError, match="cannot be downloaded from http://127.0.0.1:9/.*connect to the network"):
        download_score("PGS000001", "GRCh37", "http://127.0.0.1:9", tmp_path / "x.txt.gz")
    assert not (tmp_path / "x.txt.gz").exists()
