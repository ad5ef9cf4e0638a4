#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# mackeep stat -o openmetrics and -o prometheus: metrics that the parsers of
# Prometheus take, with the values of mackeep stat and of the services.
#
#  c1 ..:c1 --- west --- [ port0 br0 port1 ] --- east --- rt --- srv .73
#
# Control: each parser refuses the other format, or loses its types.
#
# Seen by others: the end is missing, and the scrape fails, rspamd/rspamd pull
# request 5192; "_total" of what is no counter, jochen-schweizer/express-prom-bundle
# issue 72; the same sample from two files, and all of them are lost,
# prometheus/node_exporter issue 2317; another help text in the second file, likewise,
# prometheus/node_exporter issue 1885.
#
# It is about the tool: it runs on one kernel in turn.

. "$(dirname "$0")/../lib/net.sh" || exit 1
. "$(dirname "$0")/../lib/service.sh" || exit 1
need python3 mandoc
python3 -c 'import prometheus_client' 2>/dev/null || skip_all "prometheus_client is not there"

metrics() # FORMAT [OPTION...]
{
	local format=$1

	shift
	ns box mackeep stat -o $format "$@"
}

# Reads metrics: families, types and samples as lines, sorted. STRICT: OpenMetrics.
cat >"$TMP/parse" <<-PYTHON
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families as strict
from prometheus_client.parser import text_string_to_metric_families as text
read = {"openmetrics": strict, "prometheus": text}[sys.argv[1]]
seen = set()
for m in read(sys.stdin.read()):
    name = m.name + "_total" if m.type == "counter" else m.name
    print("family", name, m.type, m.documentation)
    for s in m.samples:
        key = s.name, tuple(sorted(s.labels.items()))
        assert s.name == name, (s.name, name)
        assert key not in seen, key
        seen.add(key)
        print("sample", s.name, " ".join("%s=%s" % l for l in key[1]), int(s.value))
PYTHON

parse() # FORMAT
{
	python3 "$TMP/parse" $1 | tr -s ' ' | sort
}

must topo_up
must servers_up
must proxy_up
like "$(metrics openmetrics 2>&1)" "counters: .*modprobe mackeep" "no module: it says so"
module_needed
topo_box_marks
topo_box_rules -j MACKEEP --orig-mark 0/2
service_add -p tcp --to $PROXY_PORT
service_add -p udp --to $PROXY_PORT --bypass on
busywait 10 service_is tcp ipv4 open

topo_box_remembers
# Traffic, of which some is left alone: a mark that the rule does not want
must ns box iptables -t mangle -A OUTPUT -p tcp -d $S2 -j MARK --set-mark 2
ok "requests that are kept" ns c1 load get -o -n 7 $S1
# Only what left with the box's own MAC is dropped by its guard.
ns c1 load get -t 1 $S2 >/dev/null 2>&1
proxy_quiet
cmp_ok "$(mackeep_stat box mark)" -gt 0 "and packets that are left alone"

# --- both formats, by their parsers ----------------------------------------------------

# A packet may be sent again meanwhile.
quiet()
{
	ns box mackeep stat -o json >"$TMP/before"
	metrics openmetrics >"$TMP/om"
	metrics prometheus >"$TMP/text"
	ns box mackeep stat -o json >"$TMP/stat"
	cmp -s "$TMP/before" "$TMP/stat"
}

must busywait 20 quiet
for format in openmetrics prometheus; do
	file=$TMP/om
	[ $format = openmetrics ] || file=$TMP/text
	ok "-o $format: its parser takes all of it" eval "parse $format <$file >$TMP/$format.read"
	cmp_ok "$(grep -c ^sample "$TMP/$format.read")" -gt 70 "-o $format: and finds samples"
	is "$(grep -c ' unknown ' "$TMP/$format.read")" 0 "-o $format: each has a type"
	is "$(awk '$1 == "family" && NF < 4' "$TMP/$format.read")" "" "-o $format: and a meaning"
done
ok "the two are the same metrics" diff "$TMP/openmetrics.read" "$TMP/prometheus.read"
nok "the other format is none for OpenMetrics" eval "parse openmetrics <$TMP/text | grep sample"
ok "nor the other way round: types are lost" eval "parse prometheus <$TMP/om | grep 'saved_total unknown'"
is "$(tail -n 1 "$TMP/om") $(grep -c EOF "$TMP/om")" "# EOF 1" "-o openmetrics: # EOF, once, last"
is "$(grep -c EOF "$TMP/text")" 0 "-o prometheus: none"
like "$(cat "$TMP/om")" "# UNIT mackeep_service_settle_seconds seconds" "-o openmetrics: a unit"
if command -v promtool >/dev/null; then
	ok "promtool takes it" eval "promtool check metrics <$TMP/text"
fi

# --- the values -------------------------------------------------------------------------

value() # SAMPLE [LABELS]
{
	sed -n "s/^sample $1 ${2-} *\([0-9]*\)\$/\1/p" "$TMP/openmetrics.read"
}

python3 - "$TMP/stat" "$TMP/openmetrics.read" >"$TMP/wrong" <<-'PYTHON'
import json, sys
have = {}
for line in open(sys.argv[2]):
    word = line.split()
    if word[0] == "sample":
        have[" ".join(word[1:-1])] = int(word[-1])
for name, value in json.load(open(sys.argv[1])).items():
    if name == "pairs":
        continue            # no counter
    got = [have[k] for k in ("mackeep_%s_total" % name,
                             "mackeep_left_packets_total reason=" + name,
                             "mackeep_unkept_packets_total reason=" + name) if k in have]
    if got != [value]:
        print(name, value, got)
PYTHON
is "$(cat "$TMP/wrong")" "" "each counter is there, once, with the value of mackeep stat"
cmp_ok "$(value mackeep_left_packets_total reason=mark)" -gt 0 "drops by reason: a label"
is "$(value mackeep_pairs)" "$(mackeep_stat box pairs)" "the pairs"
is "$(value mackeep_rules)" 1 "the rules"
is "$(value mackeep_records via=learned)" \
	"$(ns box mackeep list 2>/dev/null | grep -c via=learned)" "the records"
cmp_ok "$(value mackeep_records via=learned)" -ge 7 "which are some"
like "$(cat "$TMP/om")" 'mackeep_build_info\{version="[0-9.]+"\} 1' "the version"
is "$(value mackeep_guard_frames_total dev=br0 | grep -c .)" 1 "the guards"

tcp="mark=$LIFT_MARK proto=tcp"
is "$(value mackeep_service_frames_total "$tcp to=$PROXY_PORT what=lifted")" \
	"$(service tcp lifted)" "a service: its frames"
is "$(value mackeep_service_state "family=ipv4 $tcp state=open to=$PROXY_PORT")" 1 "its state"
is "$(value mackeep_service_state "family=ipv4 $tcp state=nolistener to=$PROXY_PORT")" 0 \
	"and the others, which it is not in"
is "$(grep -c "^sample mackeep_service_state .*family=ipv4.*proto=udp.* 1\$" "$TMP/openmetrics.read")" 1 \
	"one state of each family"
is "$(value mackeep_service_bypass "mark=$LIFT_MARK proto=udp to=$PROXY_PORT")" 1 "its bypass"

# --- two namespaces in one place -----------------------------------------------------------

mackeep stat -n mk-box -o prometheus >"$TMP/one.prom"
mackeep stat -n mk-rt -o prometheus >"$TMP/two.prom"
nok "two namespaces: no line twice" eval "grep -hv '^#' $TMP/one.prom $TMP/two.prom | sed 's/ [0-9]*\$//' | sort | uniq -d | grep ."
ok "two namespaces: one help and one type of each" eval \
	"[ -z \"\$(grep -h '^#' $TMP/one.prom $TMP/two.prom | sort -u | cut -d ' ' -f 2,3 | sort | uniq -d)\" ]"
like "$(cat "$TMP/two.prom")" 'mackeep_saved_total\{netns="mk-rt"\} 0' "the label of a namespace"
ok "control: without -n there would be" eval "[ -n \"\$(cat $TMP/text $TMP/text | grep -v '^#' | sort | uniq -d)\" ]"

# --- the example of the man page, and what is refused ----------------------------------------

page=$(dirname "$0")/../../tools/mackeep.8
must mkdir -p /var/lib/prometheus/node-exporter
sed -n '/^\.\\" textfile/,/^\.EE/{/^\./!p}' "$page" | sed 's/\\-/-/g' >"$TMP/example"
ok "mackeep.8: its example works" ns box bash -eu "$TMP/example"
is "$(echo /var/lib/prometheus/node-exporter/*)" /var/lib/prometheus/node-exporter/mackeep.prom \
	"mackeep.8: and leaves a file that is whole"
ok "mackeep.8: which is one for the collector" eval \
	"parse prometheus </var/lib/prometheus/node-exporter/mackeep.prom | grep 'sample mackeep_saved_total'"
rm -r /var/lib/prometheus/node-exporter
like "$(metrics openmetrics -w 1 2>&1)" "-w: metrics are of one moment" "-w is refused"
like "$(metrics openmetrics,json 2>&1)" "it is not one of json, openmetrics" "two formats are refused"

service_del tcp
service_del udp
net_done
