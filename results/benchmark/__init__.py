"""Time, memory and operations against length; streaming, long recordings, reading of audio."""
