"""The server process: sockets, signals, connections and workers."""
