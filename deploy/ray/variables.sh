# Variables of every node of a Ray cluster: `. deploy/ray/variables.sh` before `ray start`. rayservice.yaml has the same.

# HAProxy, which comes with Ray on Linux, sends each request straight to a replica, not through a proxy in Python.
export RAY_SERVE_ENABLE_HA_PROXY=1 RAY_SERVE_THROUGHPUT_OPTIMIZED=1 RAY_SERVE_HAPROXY_METRICS_ENABLED=0

# A request whose replica dies before it answers goes to another one, at most three times. HAProxy would close the
# client's connection instead, as it may not know that a prediction can be made again. It can send again what it holds
# in full: hence the second line (Ray copies the value into HAProxy's configuration) and 64 KB for a request. The first
# refused connection marks a replica as down, not the third: a dead one is the least busy and would be chosen again.
export RAY_SERVE_HAPROXY_RETRY_ON='conn-failure empty-response
    option http-buffer-request'
export RAY_SERVE_HAPROXY_TUNE_BUFSIZE=65536 RAY_SERVE_HAPROXY_OBSERVE_ERROR_LIMIT=1

# A machine that vanishes closes no connection. Longer than any deadline of the server; without it a client waits for
# an hour.
export RAY_SERVE_HAPROXY_TIMEOUT_SERVER_S=40

# Ray would start replicas with niceness 15, which then wait for whatever else the machine does.
export RAY_worker_niceness=0
