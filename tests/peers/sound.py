"""
What a recording sounds like.
"""

import math
import wave
from array import array
from pathlib import Path
from typing import NamedTuple

#: How much of the recording's end is listened to, in seconds.
WINDOW = 0.5
#: Where tones are looked for, in hertz, and how densely.
LOWEST, HIGHEST, STEP = 200, 2000, 10


class Sound(NamedTuple):
    """
    The end of a recording.

    @ivar seconds: how long the whole recording is.
    @ivar rms: how loud its end is; full scale is 32768.
    @ivar hertz: the strongest frequency in it, within L{STEP}.
    """

    seconds: float
    rms: float
    hertz: int


def _power(samples: "array[int]", rate: int, hertz: int) -> float:
    # Goertzel's algorithm: one line of a Fourier transform.
    coefficient = 2 * math.cos(2 * math.pi * hertz / rate)
    before = last = 0.0
    for sample in samples:
        before, last = last, sample + coefficient * last - before
    return before * before + last * last - coefficient * before * last


def listen(path: Path) -> Sound:
    """
    Listen to a WAV file of 16-bit samples in one channel.
    """
    with wave.open(str(path)) as recording:
        rate, frames = recording.getframerate(), recording.getnframes()
        recording.setpos(max(0, frames - int(rate * WINDOW)))
        samples = array("h", recording.readframes(frames))
    if not samples:
        return Sound(0, 0, 0)
    rms = math.sqrt(sum(sample * sample for sample in samples) / len(samples))
    hertz = max(range(LOWEST, HIGHEST, STEP), key=lambda hertz: _power(samples, rate, hertz))
    return Sound(frames / rate, rms, hertz)
