"""`python -m training` with passes in float32, whatever the processor: for tests that compare figures."""

import torch

from training.__main__ import PROGRAM, main

if __name__ == "__main__":
    main(prog_name=PROGRAM, obj={"dtype": torch.float32})
