"""Language-model pre-training of the layers that a classifier shares: raw text in, a folder for `train --start` out."""
