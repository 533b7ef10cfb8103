"""Files that claim what they do not hold: a billion frames, pictures of gigabytes, times beyond all clocks."""

from __future__ import annotations

import io
import os
import socket
import struct
import zlib
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def no_network(monkeypatch):
    """Any try to look up or to reach a host fails the test, even where its error is caught."""
    tries = []

    def refuse(*args, **kwargs):
        tries.append(args)
        raise OSError("this test has no network")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    yield
    assert tries == []


def u32(*values):
    return struct.pack(f">{len(values)}I", *values)


def box(kind, *parts):
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def full(kind, *parts, flags=0):
    return box(kind, u32(flags), *parts)


def muxed(container_format, codec, packets, step=1, pix_fmt="yuv420p"):
    """A file of the given packets, whatever is in them, `step` 25ths of a second apart."""
    tick = Fraction(1, 25)
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container_format) as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, pix_fmt
        stream.codec_context.time_base = stream.time_base = tick
        for number, data in enumerate(packets):
            packet = av.Packet(data)
            packet.stream, packet.time_base, packet.is_keyframe = stream, tick, True
            packet.pts = packet.dts = number * step
            container.mux(packet)
    return buffer.getvalue()


FTYP = box(b"ftyp", b"isom", u32(0), b"isom")
MEDIA = len(FTYP) + 8  # where the media begin in `mp4`


class Claims:
    """MP4 files around one real frame, with tables that say anything."""

    def __init__(self, video):
        data = video.read_bytes()
        self.entry, self.frame = self._box(data, b"stsd"), self._box(data, b"mdat")[8:]

    @staticmethod
    def _box(data, kind):
        at = data.index(kind) - 4
        return data[at : at + struct.unpack_from(">I", data, at)[0]]

    def track(self, *tables, number=1, edits=b"", timescale=25, entry=None):
        matrix = u32(0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
        header = full(b"tkhd", u32(0, 0, number, 0, 1, 0, 0, 0, 0), matrix, u32(64 << 16, 48 << 16), flags=3)
        clock = full(b"mdhd", u32(0, 0, timescale, 1), b"\x55\xc4\0\0")
        handler = full(b"hdlr", u32(0), b"vide", bytes(12), b"v\0")
        place = box(b"dinf", full(b"dref", u32(1), full(b"url ", flags=1)))
        minf = box(b"minf", full(b"vmhd", bytes(8), flags=1), place, box(b"stbl", entry or self.entry, *tables))
        return box(b"trak", header, edits, box(b"mdia", clock, handler, minf))

    def mp4(self, *tracks, after=b"", frame=None):
        matrix = u32(0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
        header = full(b"mvhd", u32(0, 0, 1000, 1000, 0x10000), bytes(10), matrix, bytes(24), u32(2))
        return FTYP + box(b"mdat", frame or self.frame) + box(b"moov", header, *tracks) + after

    def run_of(self, count, **how):
        """A track of `count` frames of one byte: 16 bytes of tables, however many."""
        tables = full(b"stts", u32(1, count, 1)), full(b"stsz", u32(1, count)), full(b"stsc", u32(1, 1, count, 1))
        return self.track(*tables, full(b"stco", u32(1, MEDIA)), full(b"ctts", u32(1, count, 1)), **how)

    def repeats(self, count, delta=1, timescale=25, entry=None, frame=None):
        """A file whose frames are all the same bytes."""
        size = len(frame or self.frame)
        tables = full(b"stts", u32(1, count, delta)), full(b"stsz", u32(size, count)), full(b"stsc", u32(1, 1, 1, 1))
        track = self.track(*tables, full(b"stco", u32(count), u32(MEDIA) * count), timescale=timescale, entry=entry)
        return self.mp4(track, frame=frame)

    def edited(self, edits, count, tracks):
        """Each edit shows all frames of a track once more."""
        shown = box(b"edts", full(b"elst", u32(edits), u32(40 * count, 0, 0x10000) * edits))
        return self.mp4(*(self.run_of(count, number=i + 1, edits=shown) for i in range(tracks)))

    def fragments(self, count, fragments):
        """Fragments of `count` frames each, without a byte for any of them."""
        empty = [full(kind, u32(0)) for kind in (b"stts", b"stsc", b"stco")] + [full(b"stsz", u32(0, 0))]
        defaults = box(b"mvex", full(b"trex", u32(1, 1, 1, 1, 0)))
        run = box(b"traf", full(b"tfhd", u32(1), flags=0x20000), full(b"trun", u32(count)))
        parts = [box(b"moof", full(b"mfhd", u32(i)), run) + box(b"mdat", self.frame) for i in range(fragments)]
        return self.mp4(self.track(*empty), defaults, after=b"".join(parts))

    def h264(self, side):
        """H.264 that says in its own header that pictures have `side` x `side` pixels."""
        sequence, picture, slice_ = h264_units(side)
        units = [struct.pack(">H", len(unit)) + unit for unit in (sequence, picture)]
        sets = b"\1" + sequence[1:4] + b"\xff\xe1" + units[0] + b"\1" + units[1]
        picture_format = [struct.pack(">HH", 64, 48), u32(0x480000, 0x480000, 0), b"\0\1", bytes(32), b"\0\x18\xff\xff"]
        entry = box(b"avc1", bytes(6), b"\0\1", bytes(16), *picture_format, box(b"avcC", sets))
        return self.repeats(50, entry=full(b"stsd", u32(1), entry), frame=u32(len(slice_)) + slice_)


def exp_golomb(value):
    return "0" * ((value + 1).bit_length() - 1) + f"{value + 1:b}"


def as_bytes(bits):
    bits += "1" + "0" * (-(len(bits) + 1) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def h264_units(side):
    """Sequence parameters, picture parameters and the start of a key frame, for pictures of side x side pixels."""
    ue, blocks = exp_golomb, exp_golomb(side // 16 - 1)
    sequence = b"\x67\x42\xc0\x3e" + as_bytes(ue(0) * 2 + ue(2) + ue(1) + "0" + blocks * 2 + "1000")
    picture = b"\x68" + as_bytes(ue(0) * 2 + "00" + ue(0) * 3 + "000" + ue(0) * 3 + "000")
    slice_ = b"\x65" + as_bytes(ue(0) + ue(7) + ue(0) + "0000" + ue(0) + "00" + ue(0)) + bytes(range(1, 200))
    return sequence, picture, slice_


def jpeg(claimed=None):
    """A small picture; `claimed` is what its header says, (H, W)."""
    buffer = io.BytesIO()
    Image.new("RGB", (64, 48), (200, 30, 60)).save(buffer, "JPEG")
    data = bytearray(buffer.getvalue())
    if claimed:
        struct.pack_into(">HH", data, data.index(b"\xff\xc0") + 5, *claimed)
    return bytes(data)


def png(claimed=None, real=(64, 48)):
    """As `jpeg`, with a checksum that fits; `real` is (W, H)."""
    buffer = io.BytesIO()
    Image.new("RGB", real, (200, 30, 60)).save(buffer, "PNG")
    data = bytearray(buffer.getvalue())
    if claimed:
        at = data.index(b"IHDR")
        struct.pack_into(">II", data, at + 4, *claimed[::-1])
        struct.pack_into(">I", data, at + 17, zlib.crc32(data[at : at + 17]))
    return bytes(data)


def gif(side):
    """Sixty frames of side x side pixels, in some hundred bytes."""
    frame = b"\x21\xf9\4\4\4\0\0\0" + b"\x2c" + struct.pack("<HHHHB", 0, 0, side, side, 0) + b"\2\2\x44\1\0"
    return b"GIF89a" + struct.pack("<HHBBB", side, side, 0xF0, 0, 0) + b"\0\0\0\xff\xff\xff" + frame * 60 + b";"


def vp9(video, side):
    """A WebM file whose frames' headers are changed."""
    data, at = bytearray(video.read_bytes()), 0
    while (at := data.find(b"\x49\x83\x42", at)) >= 0:  # before colour (4 bits), width - 1 and height - 1 (16 each)
        header = int.from_bytes(data[at + 3 : at + 8], "big") & ~(0xFFFFFFFF << 4) | (side - 1) * 0x10001 << 4
        data[at + 3 : at + 8] = header.to_bytes(5, "big")
        at += 3
    return bytes(data)


def nested(depth):
    data = b""
    for _ in range(depth):
        data = box(b"trak", data)
    return FTYP + box(b"moov", data)


def packed_header(size):
    """A header that unpacks to `size` bytes."""
    packed = box(b"cmov", box(b"dcom", b"zlib"), box(b"cmvd", u32(size), zlib.compress(bytes(size), 9)))
    return box(b"ftyp", b"qt  ", u32(0), b"qt  ") + box(b"mdat", bytes(100)) + box(b"moov", packed)


@pytest.fixture(scope="session")
def claims(tmp_path_factory, make_video):
    """`Claims` around one frame of 64 x 48 pixels."""
    return Claims(make_video(tmp_path_factory.mktemp("one_frame") / "one.mp4", 1))


@pytest.fixture(scope="session")
def hostile_videos(tmp_path_factory, claims, kinds):
    """Name -> file, of kilobytes each; none of these may be used, and none may cost much."""
    folder = tmp_path_factory.mktemp("hostile_videos")
    units = b"".join(b"\0\0\0\1" + unit for unit in (b"\x09\xf0", *h264_units(16_000)))
    contents = {
        "a_billion_frames.mp4": claims.mp4(claims.run_of(10**9)),
        "eighty_million_frames.mp4": claims.mp4(claims.run_of(80_000_000)),
        "many_tracks.mp4": claims.mp4(*(claims.run_of(5_000_000, number=i + 1) for i in range(20))),
        "many_edits.mp4": claims.edited(edits=20_000, count=1000, tracks=3),
        "fragments_of_nothing.mp4": claims.fragments(80_000_000, 10),
        "packed_header.mov": packed_header(2**29),
        "nested.mp4": nested(10_000),
        "millennia.mp4": claims.repeats(60, delta=2**31 - 1, timescale=1),
        "timeless.mp4": claims.repeats(60, delta=0),
        "eternal.mkv": muxed("matroska", "mjpeg", [jpeg()] * 60, 2**40, "yuvj420p"),
        "h264_100000.mp4": claims.h264(100_000),
        "h264_16000.mp4": claims.h264(16_000),
        "h264_16000.ts": muxed("mpegts", "libx264", [units] * 50),
        "gif_65535.gif": gif(65_535),
        "gif_46000.gif": gif(46_000),
        "vp9_65536.webm": vp9(kinds["vp9.webm"], 65_536),
        "vp9_40000.webm": vp9(kinds["vp9.webm"], 40_000),
        "mjpeg_30000.avi": muxed("avi", "mjpeg", [jpeg((30_000, 30_000))] * 50, pix_fmt="yuvj420p"),
        "mjpeg_30000.mkv": muxed("matroska", "mjpeg", [jpeg((30_000, 30_000))] * 50, pix_fmt="yuvj420p"),
        "png_30000.mov": muxed("mov", "png", [png((30_000, 30_000))] * 50, pix_fmt="rgb24"),
        "a_line_of_pixels.mov": muxed("mov", "png", [png(real=(10_000_000, 1))] * 50, pix_fmt="rgb24"),
        # Usable at first, so that only decoding a later frame finds it out.
        "grows.avi": muxed("avi", "mjpeg", [jpeg()] * 20 + [jpeg((30_000, 30_000))] * 40, pix_fmt="yuvj420p"),
        "grows_to_a_line.mov": muxed("mov", "png", [png()] * 20 + [png(real=(20_000, 1))] * 40, pix_fmt="rgb24"),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    with (folder / "a_terabyte_of_zeros.mp4").open("wb") as file:
        file.truncate(10**12)
    with (folder / "gigabytes_of_zeros.mp4").open("wb") as file:
        file.truncate(10**10)
    os.mkfifo(folder / "pipe.mp4")
    (folder / "endless.mp4").symlink_to("/dev/zero")
    return {path.name: path for path in sorted(folder.iterdir())}


@pytest.fixture(scope="session")
def odd_but_good(tmp_path_factory, claims):
    """Name -> file that is unusual in the same ways, and right."""
    folder = tmp_path_factory.mktemp("odd_but_good")
    large = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (54, 96, 3), np.uint8)
    Image.fromarray(noise).resize((3840, 2160)).save(large, "JPEG", quality=30)
    contents = {
        "grows_and_is_real.avi": muxed("avi", "mjpeg", [jpeg()] * 20 + [large.getvalue()] * 40, pix_fmt="yuvj420p"),
        "trailing_zeros.mp4": claims.repeats(60) + bytes(1000),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return {name: folder / name for name in contents}
