#!/usr/bin/env python3
"""Makes the golden vectors of data/golden/ anew, with coders that are not ours.

Needs Python up to 3.12 (audioop was removed after it) and the Debian package sox. Makes the same bytes each time.

A .adpcm file is frames of equal length, one after the other, each of them the payload of an ingest frame: a 4-byte
header a channel (i16 predictor, u8 step index, 0), then nibbles. A .s16le file is samples, interleaved, little-endian.
"""
import audioop
import struct
import subprocess
import tempfile
from pathlib import Path

here = Path(__file__).parent
golden = here / "golden"
frame_samples = 320


def lcg(seed):
    """Pseudo-random bytes that every machine makes alike (the constants of Numerical Recipes)."""
    while True:
        seed = (seed * 1664525 + 1013904223) & 0xFFFFFFFF
        yield seed >> 24


def wav_samples(name, channels, first, count):
    data = (here / "samples" / name).read_bytes()[44:]
    return data[first * channels * 2 : (first + count) * channels * 2]


def header(state):
    predictor, index = state
    return struct.pack("<hBB", predictor, index, 0)


def make_audioop():
    """Speech, then noise at full scale, which drives the coder into both ends of its range."""
    noise = lcg(1)
    loud = b"".join(struct.pack("<h", 32767 if next(noise) & 1 else -32768) for _ in range(5 * frame_samples))
    pcm = wav_samples("speech-16k-mono.wav", 1, 16000, 20 * frame_samples) + loud
    coded, decoded, state = b"", b"", (0, 0)
    for at in range(0, len(pcm), 2 * frame_samples):
        nibbles, after = audioop.lin2adpcm(pcm[at : at + 2 * frame_samples], 2, state)
        samples, end = audioop.adpcm2lin(nibbles, 2, state)
        assert end == after
        coded += header(state) + nibbles
        decoded += samples
        state = after
    (golden / "input-mono.s16le").write_bytes(pcm)
    (golden / "audioop-high.adpcm").write_bytes(coded)
    (golden / "audioop-high.s16le").write_bytes(decoded)


def make_random():
    """Frames of 44 bytes: every step index as a start, any predictor, any nibbles; two runs of all indices."""
    random = lcg(2)
    coded, decoded = b"", b""
    for index in list(range(89)) * 2:
        predictor = (next(random) << 8 | next(random)) - 32768
        nibbles = bytes(next(random) for _ in range(40))
        samples, _ = audioop.adpcm2lin(nibbles, 2, (predictor, index))
        coded += header((predictor, index)) + nibbles
        decoded += samples
    (golden / "random-high.adpcm").write_bytes(coded)
    (golden / "random-high.s16le").write_bytes(decoded)


def make_sox(name, channels, pcm, rate):
    """Blocks of a WAV file of format 0x11. In a block the predictor counts as a sample, so that sox's samples of a
    block are the predictors of the header, then what a frame decodes to."""
    with tempfile.TemporaryDirectory() as folder:
        raw, wav, back = (Path(folder) / file for file in ("in.raw", "out.wav", "back.raw"))
        raw.write_bytes(pcm)
        plain = ["-t", "raw", "-e", "signed", "-b", "16", "-L", "-r", str(rate), "-c", str(channels)]
        subprocess.run(["sox", "-D", *plain, raw, "-e", "ima-adpcm", wav], check=True)
        subprocess.run(["sox", "-D", wav, *plain, back], check=True)
        riff = wav.read_bytes()
        fmt = riff.index(b"fmt ")
        (block,) = struct.unpack_from("<H", riff, fmt + 20)
        data = riff.index(b"data")
        (size,) = struct.unpack_from("<I", riff, data + 4)
        blocks = size // block
        block_samples = (block // channels - 4) * 2 + 1
        decoded = back.read_bytes()[: blocks * block_samples * channels * 2]
        blocks = len(decoded) // (block_samples * channels * 2)
        (golden / f"{name}.adpcm").write_bytes(riff[data + 8 : data + 8 + blocks * block])
        (golden / f"{name}.s16le").write_bytes(decoded[: blocks * block_samples * channels * 2])
        print(f"{name}: {blocks} blocks of {block} bytes, {block_samples} samples")


golden.mkdir(exist_ok=True)
make_audioop()
make_random()
make_sox("sox-mono-low", 1, wav_samples("speech-16k-mono.wav", 1, 16000, 20 * 505), 16000)
make_sox("sox-stereo-low", 2, wav_samples("music-44k-stereo.wav", 2, 1000, 8 * 1017), 44100)
