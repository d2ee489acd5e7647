"""From records to numbers: frames to frames, nothing measured, nothing drawn."""
