#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Sourced by scripts that take long. For each phase one line with its duration is printed; the output of its
# commands goes to a log, whose last lines are shown when a phase fails.
#
#   phase_begin TOOL LOG       sets the prefix of the lines and the log, which is truncated
#   phase TITLE COMMAND...     runs COMMAND and returns its status; shows its progress on a terminal
#
# Progress is ninja's [12/345] in the log, or what apt writes to descriptor 7.

phase_begin() {
  phase_tool=$1
  phase_log=$2
  mkdir -p "$(dirname "$phase_log")"
  : >"$phase_log"
}

phase_time() {
  if (($1 < 60)); then echo "$1 s"; else echo "$(($1 / 60)) min $(($1 % 60)) s"; fi
}

# The latest progress of apt, or in the log: "45 %" or nothing.
phase_progress() {
  local apt=$1 from=$2 words
  words=$(tail -n 1 "$apt" | sed -nE 's/^dlstatus:[^:]*:([0-9]+).*/downloading \1 %/p
    s/^pmstatus:[^:]*:([0-9]+).*/installing \1 %/p')
  [ -n "$words" ] || words=$(tail -c "+$((from + 1))" "$phase_log" | tail -c 8192 | tr '\r' '\n' |
    sed -nE 's|^\[([0-9]+)/([0-9]+)\].*|\1 \2|p' | tail -n 1 |
    awk '$2 > 0 { printf "%d of %d, %d %%", $1, $2, 100 * $1 / $2 }')
  echo "$words"
}

# Updates one line of the terminal until it is killed, or the script has ended.
phase_watch() {
  local title=$1 apt=$2 from=$3 begun=$SECONDS words
  while kill -0 $$ 2>/dev/null; do
    words=$(phase_progress "$apt" "$from")
    printf '\r%s: %s  %s%s\e[K' "$phase_tool" "$title" "${words:+$words, }" \
      "$(phase_time $((SECONDS - begun)))" >&2
    sleep 0.5
  done
}

phase() {
  local title=$1 begun=$SECONDS watcher='' status=0 apt from
  shift
  apt=$phase_log.apt
  : >"$apt"
  printf '== %s\n' "$title" >>"$phase_log"
  from=$(stat -c %s "$phase_log")
  if [ -t 2 ] && [ "${TERM:-dumb}" != dumb ]; then
    phase_watch "$title" "$apt" "$from" 2>&2 >/dev/null </dev/null &
    watcher=$!
  fi
  "$@" >>"$phase_log" 2>&1 7>"$apt" </dev/null || status=$?
  if [ -n "$watcher" ]; then
    kill "$watcher" 2>/dev/null || true
    wait "$watcher" 2>/dev/null || true
    printf '\r\e[K' >&2
  fi
  rm -f "$apt"
  printf '%s: %-44s %10s%s\n' "$phase_tool" "$title" "$(phase_time $((SECONDS - begun)))" \
    "$([ $status = 0 ] || echo '  failed')" >&2
  if [ $status != 0 ]; then
    tail -c "+$((from + 1))" "$phase_log" | tail -n 40 | sed 's/^/    /' >&2
    echo "$phase_tool: the complete log: $phase_log" >&2
  fi
  return $status
}
