"""Ray beside the plain server and `app predict`. Needs Ray, which `make setup` installs."""
