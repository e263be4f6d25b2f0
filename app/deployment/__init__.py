"""Loading, serving, replacing and removing models while requests go on."""
