#!/bin/sh
# Succeeds when there is a Chromium for the tests of the HTML report; root gets Debian's from apt-get where there is none.
set -u

found() {
    for name in chromium chromium-browser google-chrome; do
        # Ubuntu's chromium-browser may be a stub that only says where to get one.
        "$name" --version 2>/dev/null | grep -q '[0-9]' && return 0
    done
    return 1
}

found && exit 0
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q >&2
    # Without a font no text has a width, and a page no shape.
    apt-get install -q -y --no-install-recommends chromium fonts-dejavu-core >&2 && found && exit 0
fi
echo "skipped: there is no Chromium, and it cannot be installed here; the tests of pages in a browser skip themselves." >&2
echo "On Debian: apt-get install chromium." >&2
exit 1
