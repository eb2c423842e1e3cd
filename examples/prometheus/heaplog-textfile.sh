#!/bin/sh
# For cron, or at the end of a CI job on a machine with node_exporter: the last peaks of all tasks as Prometheus metrics.
#   heaplog-textfile.sh RESULTS [DIRECTORY]
# RESULTS is a results file, or a directory of them; DIRECTORY is that of node_exporter's
# --collector.textfile.directory. The file is replaced in one step: the collector never reads half of one.
set -eu
results=${1:?usage: heaplog-textfile.sh RESULTS [DIRECTORY]}
directory=${2:-/var/lib/prometheus/node-exporter}
heaplog report --format openmetrics --output "$directory/heaplog.prom" "$results"
