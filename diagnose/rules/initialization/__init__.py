"""Architecture and initialization."""
