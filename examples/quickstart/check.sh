#!/bin/sh
# Builds the quickstart twice and looks at the report; then shows that only what a change reaches runs.
. "$(dirname "$0")/../check_lib.sh"

afresh
build 3
holds build/report.md "| desk | 2 | 1047.00 EUR |"
holds build/report.md "| lamp | 3 | 299.20 EUR |"
holds build/report.md "| shelf | 1 | 178.50 EUR |"
build 0
"$PIPEFILE" status --check >/dev/null || fail "status --check says that something is stale"

# A comment more in the orders: `clean` runs and writes the same bytes, so nothing below it does.
cp orders.csv orders.before
trap 'mv orders.before orders.csv' EXIT
echo "# all counted" >>orders.csv
build 1
build 0
