#!/bin/sh
# Makes sure that there is a Java of at least the given major version, installing
# Debian's where apt-get may. Without one it says so, loudly, and fails.
set -u
wanted=$1

have() {
	# "17.0.15" → 17; "1.8.0_402" → 1, which is old enough.
	major=$(java -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p' | head -n 1)
	[ -n "$major" ] && [ "$major" -ge "$wanted" ]
}

if have; then
	exit 0
fi
if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
	echo "Installing Java $wanted …"
	{ apt-get update -qq && apt-get install -y -qq --no-install-recommends "openjdk-$wanted-jre-headless"; } >/dev/null 2>&1 || true
	have && exit 0
fi

{
	echo "#########################################################################"
	echo "# NOT CHECKED: the Salesforce package. Its checks need Java $wanted or later"
	echo "# on the PATH (Debian: apt-get install openjdk-$wanted-jre-headless)."
	echo "#########################################################################"
} >&2
exit 1
