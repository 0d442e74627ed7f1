#!/bin/sh
# Whether errors in the service's log name tables of the old model: those who still ask for them would fail.
log=${PARTY_MODEL_LOG:?must name the log of the service}
if [ ! -r "$log" ]; then
    echo "$log cannot be read"
    exit 1
fi
if found=$(grep -nE 'entit(ies|y_[a-z_]+)' "$log"); then
    echo "$found" | head -5
    exit 1
fi
echo "no error names a table of the old model"
