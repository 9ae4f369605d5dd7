"""A fit under watch: when to observe, what to keep, and what to do when something fails."""
