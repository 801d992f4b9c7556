#!/bin/sh
# Succeeds when there is a Java that Spark runs on, 17 or newer; root gets it from apt-get where there is none.
set -u

found() {
    java=${JAVA_HOME:+$JAVA_HOME/bin/}java
    # Spark itself looks in JAVA_HOME first. Java 8 called itself 1.8.
    version=$("$java" -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p')
    [ "${version:-0}" -ge 17 ]
}

found && exit 0
if [ -z "${JAVA_HOME:-}" ] && [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q >&2
    # Newer releases of Debian and Ubuntu have a newer one instead.
    for package in openjdk-17-jre-headless default-jre-headless; do
        apt-get install -q -y --no-install-recommends "$package" >&2 && found && exit 0
    done
fi
echo "skipped: Spark needs Java 17 or newer; there is ${version:+only $version, }none that fits, and it cannot be installed here." >&2
echo "On Debian and Ubuntu: apt-get install openjdk-17-jre-headless. JAVA_HOME names another one." >&2
exit 1
