#!/bin/sh
# Builds the example with a service that is down, one that fails twice, and one that is not needed; looks at the results; then lets nothing move.
. "$(dirname "$0")/../check_lib.sh"

for program in ffmpeg ffprobe; do
  command -v "$program" >/dev/null || fail "\`$program\` is not installed; in Debian: apt-get install ffmpeg"
done

work=$(mktemp -d)
service=
leave() {
  stop
  for file in Pipefile.toml detector.py; do
    [ ! -f "$work/$file" ] || cp "$work/$file" "$file"
  done
  rm -rf "$work"
}
trap leave EXIT

stop() {
  [ -z "$service" ] || { kill "$service" && wait "$service" 2>/dev/null || true; }
  service=
}

# serve N: start a service that refuses the first N requests (-1: all), in place of the one before.
serve() {
  stop
  rm -f "$work/url"
  python3 service.py --port 0 --state "$work" --fail "$1" >"$work/log" 2>&1 &
  service=$!
  waited=0
  until [ -s "$work/url" ]; do
    [ $((waited += 1)) -le 100 ] && kill -0 "$service" 2>/dev/null || { cat "$work/log"; fail "the service does not start"; }
    sleep 0.1
  done
  PREVIEW_SERVICE=$(cat "$work/url")
  export PREVIEW_SERVICE
}

# asked N: the service that runs was asked N times.
asked() { [ "$(cat "$work/calls")" = "$1" ] || fail "the service should have been asked $1 times, not $(cat "$work/calls")"; }

# edit FILE SED: edit a file, which is put back in the end.
edit() {
  [ -f "$work/$1" ] || cp "$1" "$work/$1"
  sed "$2" "$work/$1" >"$work/edited" && cp "$work/edited" "$1"
}

afresh

# A service that is down: three attempts, then the fallback. The build exits 0, and the next one asks again.
serve -1
build "analyze clip frames judge keyframe observe report preview=degraded"
asked 3
python3 check.py plain
build "preview=degraded"
asked 6
"$PIPEFILE" status --check >/dev/null && fail "status --check takes a degraded poster for fresh"

# It is back, after two refusals: the third attempt has the poster, and the report shows it.
serve 2
build "preview report"
asked 3
python3 check.py service
build 0
asked 3
"$PIPEFILE" status --check >/dev/null || fail "status --check says that something is stale"

# Gone for good, and nobody cares: what is there is fresh.
stop
build 0

# A comment in the detector runs nothing. Its threshold for cuts is used by `judge` alone, which finds the same scenes, so nothing below it runs.
edit detector.py 's/^MASK = /# bright or not, for each value of green\n&/'
build 0
edit detector.py 's/^CUT = .*/CUT = 13.0/'
build "judge"
edit detector.py ''
restored "judge"

# Nothing moves: `judge` says so while the build runs, and there is no report.
serve 0
edit Pipefile.toml 's/^speed = 120 /speed = 0 /'
build "analyze clip frames judge keyframe observe preview"
[ ! -e build/report.html ] || fail "the report of the clip before is still there"
[ "$(ls build/keyframe-*.ppm)" = "build/keyframe-005.ppm" ] || fail "the keyframe of the clip before is still there"
build 0
edit Pipefile.toml ''
restored "analyze clip frames judge keyframe observe preview report"
python3 check.py service
build 0

# The same as a library.
python=$(dirname "$(command -v "$PIPEFILE")")/python
[ ! -x "$python" ] || [ "$("$python" pipeline.py | tail -n 1)" = "succeeded: 0 stages ran" ] || fail "workflow.run does not find what the command line built"
