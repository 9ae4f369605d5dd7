"""What several rules look at: one place for each reading of a run."""
