"""Numbers that break: NaN and infinity."""
