#!/bin/sh
# A thousand pictures on warm workers; one changed, one added, one removed: exactly those run.
. "$(dirname "$0")/../check_lib.sh"

python3 make_photos.py
afresh
build 1003
python3 check.py 1000
build 0
"$PIPEFILE" status --check >/dev/null || fail "status --check says that something is stale"

# One is painted anew.
python3 make_photos.py --paint 17 5017
build "develop@photos/0017.png index sheet"
python3 check.py 1000

# One is added.
python3 make_photos.py --paint 1000 1000
build "develop@photos/1000.png index sheet"
python3 check.py 1001

# One is removed: its picture goes with it, and no other is developed.
rm photos/0400.png
build "index sheet"
[ ! -e build/pictures/0400.png ] || fail "the picture of a photo that is gone still stands"
python3 check.py 1000
build 0

# The same picture under another name is developed there; the sheet shows it elsewhere.
mv photos/0000.png photos/2000.png
build "develop@photos/2000.png index sheet"
python3 check.py 1000
build 0
