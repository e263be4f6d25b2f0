"""The commands of `python -m training`, one file each; options are read here and nowhere else.

What imports torch is imported inside the commands: `--help` answers at once.
"""
