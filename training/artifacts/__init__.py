"""Files that a run leaves: checkpoint, card, record, results and run folder."""
