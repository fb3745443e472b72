#!/bin/bash -eu
# Builds what a device reads, as OSS-Fuzz asks: CC, CFLAGS, LIB_FUZZING_ENGINE and OUT are its own.
made="$(mktemp -d)"
python3 tests/fuzz/device_fuzzers.py "$made" | while read -r name words; do
  # shellcheck disable=SC2086
  $CC $CFLAGS $words $LIB_FUZZING_ENGINE -o "$OUT/fuzz_$name"
  cp "tests/fuzz/device/$name.zip" "$OUT/fuzz_${name}_seed_corpus.zip"
done
