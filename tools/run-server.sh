#!/bin/sh
# Runs one server of a catalog: tools/run-server.sh myconfig.txt 3
exec node "$(dirname "$0")/../bin/nmrfs.js" catalog serve "$@"
