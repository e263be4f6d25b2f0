"""Text classifiers: from texts to probabilities, with checkpoint folders to store them."""
