#!/bin/sh
# Our OpenMetrics text before the reference parser (PyPI prometheus_client) and, for what a textfile collector is given,
# before promtool (Debian's package prometheus) where it is installed.
#   make check-openmetrics
set -eu
venv=$BUILD/venv
if ! "$venv/bin/python" -c 'import prometheus_client' 2>/dev/null; then
	echo "installing the PyPI package prometheus_client into $venv"
	python3 -m venv "$venv"
	"$venv/bin/pip" install --quiet --disable-pip-version-check prometheus_client
fi
file=$BUILD/openmetrics.jsonl
trap 'rm -f "$file" "$file.prom"' EXIT
"$BUILD/tests/generate" 1500 500 >"$file"
printf '%s\n' '{"v":1,"run":"r","task":"quote\" back\\slash\nnewline é","peak_bytes":1048577,"exit":{"signal":"SIGKILL"},"oom":true}' \
	'{"v":1,"run":"r","task":"unmeasured"}' >>"$file"
"$BUILD/heaplog" report --format openmetrics -o "$file.prom" "$file"
"$venv/bin/python" - "$file.prom" <<'END'
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.parser import text_string_to_metric_families as older

text = open(sys.argv[1], encoding="utf-8").read()
families = {family.name: family for family in text_string_to_metric_families(text)}
peaks = {sample.labels["task"]: sample.value for sample in families["heaplog_task_peak_bytes"].samples}
assert len(peaks) == 501, len(peaks)
assert peaks['quote" back\\slash\nnewline é'] == 1048577
assert "unmeasured" not in peaks
assert families["heaplog_task_peak_bytes"].unit == "bytes"
oom = {sample.labels["task"]: sample.value for sample in families["heaplog_task_oom_killed"].samples}
assert oom['quote" back\\slash\nnewline é'] == 1 and oom["unmeasured"] == 0
# The older format of Prometheus, which node_exporter's textfile collector reads.
assert {family.name for family in older(text)} == set(families)
print(f"prometheus_client: {len(families)} families, {sum(len(f.samples) for f in families.values())} samples, both formats")
END
if command -v promtool >/dev/null; then
	promtool check metrics <"$file.prom"
	echo "promtool: good"
else
	echo "promtool (Debian package prometheus) is not installed: not asked"
fi
