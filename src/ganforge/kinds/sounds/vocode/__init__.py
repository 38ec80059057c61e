"""The verb `vocode`: a spectrogram becomes a waveform."""
