"""Ray beside the plain server and `app predict`. Needs the extra `ray`."""
