"""HTTP below the routes: bodies, deadlines, problems, and the middleware for logs, keys and proxies."""
