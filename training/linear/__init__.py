"""Linear models over n-grams: NB-SVM, and the n-grams beside the network."""
