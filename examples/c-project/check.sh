#!/bin/sh
# Builds library, program and tests twice, and shows that an edited header reaches just the files that include it.
. "$(dirname "$0")/../check_lib.sh"

afresh
build some
[ "$(build/csvq -V)" = "csvq 1.2.0" ] || fail "build/csvq does not say its version"
build/csvq -w 'moons>=95' -s name,moons data/planets.csv >build/got
printf 'name     moons\nJupiter     95\nSaturn     146\n' | cmp - build/got || fail "build/csvq found other planets"
rm build/got
ar t build/libcsvq.a | grep -qx csv.o || fail "the library has no csv.o"
build 0
"$PIPEFILE" status --check >/dev/null || fail "status --check says that something is stale"

# version.h is included by main.c alone, and declared nowhere: cc@src/main, csvq and cli_test run.
cp include/version.h version.before
trap 'mv version.before include/version.h' EXIT
sed 's/1\.2\.0/1.2.1/' version.before >include/version.h
build 3
[ "$(build/csvq -V)" = "csvq 1.2.1" ] || fail "build/csvq was not made from the edited header"
build 0

# A comment in a header: what includes it is compiled again, to the same bytes, so nothing is linked or tested.
users=$(grep -l '"buffer.h"\|"csv.h"\|"render.h"' src/*.c tests/*.c | wc -l)
cp include/buffer.h buffer.before
trap 'mv version.before include/version.h; mv buffer.before include/buffer.h' EXIT
echo '/* the end */' >>include/buffer.h
build "$users"
build 0
