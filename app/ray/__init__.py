"""The application on a Ray cluster: Ray Serve for requests, Ray Data for files. Nothing else here imports Ray."""
