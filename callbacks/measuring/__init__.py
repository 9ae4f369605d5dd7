"""From what was read to measurements."""
