"""A proof shown: as text, as a page, in a notebook, as JSON."""
