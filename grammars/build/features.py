"""Kaldi's MFCC, exactly as conf/mfcc.conf of the model tells Vosk to compute them."""

import kaldi_native_fbank as knf
import numpy as np
from numpy.typing import NDArray

from grammars.build.telephone import RATE_HZ, Wave

SIZE = 40
LOW_HZ, HIGH_HZ = 20, 3700
FRAME = RATE_HZ // 100
WINDOW = RATE_HZ // 40

CONFIGURATION = f"""\
--sample-frequency={RATE_HZ}
--use-energy=false
--num-mel-bins={SIZE}
--num-ceps={SIZE}
--low-freq={LOW_HZ}
--high-freq={HIGH_HZ}
--dither=0.0
--allow-upsample=true
"""


def mfcc(wave: Wave) -> NDArray[np.float32]:
    """One row of SIZE numbers each 10 ms, from a wave between -1 and 1."""
    options = knf.MfccOptions()
    options.frame_opts.samp_freq = RATE_HZ
    options.frame_opts.dither = 0.0
    options.frame_opts.snip_edges = True
    options.mel_opts.num_bins = SIZE
    options.mel_opts.low_freq = LOW_HZ
    options.mel_opts.high_freq = HIGH_HZ
    options.num_ceps = SIZE
    options.use_energy = False
    computer = knf.OnlineMfcc(options)
    computer.accept_waveform(RATE_HZ, (wave * 32768).tolist())
    computer.input_finished()
    return np.stack([computer.get_frame(n) for n in range(computer.num_frames_ready)])
