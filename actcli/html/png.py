"""Small PNG pictures, as data of the page itself.

A picture is a table of palette indices: a byte for each pixel, and at most 256 colours. The format:
Portable Network Graphics, W3C Recommendation, sections 5 and 11.
"""

import base64
import struct
import zlib
from collections.abc import Sequence

Colour = tuple[int, int, int]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
PALETTE = 3  # the colour type of pictures with a palette


def png(rows: Sequence[bytes], palette: Sequence[Colour]) -> bytes:
    """Return a picture as the bytes of a PNG file.

    Args:
        rows: from the top; for each pixel the index of its colour. All have the same length.
        palette: the colours, at most 256.
    """
    header = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, PALETTE, 0, 0, 0)
    pixels = b"".join(b"\0" + row for row in rows)  # 0: the row is not filtered
    return b"".join(
        [
            SIGNATURE,
            _chunk(b"IHDR", header),
            _chunk(b"PLTE", bytes(part for colour in palette for part in colour)),
            _chunk(b"IDAT", zlib.compress(pixels, 9)),
            _chunk(b"IEND", b""),
        ]
    )


def data_uri(picture: bytes) -> str:
    """Return the address of a PNG picture that holds the picture itself."""
    return f"data:image/png;base64,{base64.b64encode(picture).decode()}"


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)
