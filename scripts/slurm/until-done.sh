# What the job scripts share; sourced by them, with $root set.
# shellcheck shell=bash disable=SC2154

# until_done ARGUMENT...: scripts/run-until-done with them, which starts the program again after whatever ends it but a
# fault of the job. Told by USR1 that the job's time is over, it lets segments in hand be finished and puts the job back
# into the queue; when it is its turn again it goes on from what is committed.
until_done() {
  local child status told='' signals=0 heard
  "$root/scripts/run-until-done" ${VSR_PROGRAM:+--program "$VSR_PROGRAM"} "$@" &
  child=$!
  trap 'signals=$((signals + 1)) told=USR1; kill -INT "$child"' USR1
  trap 'signals=$((signals + 1)) told=TERM; kill -TERM "$child"' TERM  # by scancel, with 30 s left (Slurm's KillWait)
  status=0
  while heard=$signals; do
    wait "$child" && status=0 || status=$?
    [[ $signals != "$heard" ]] || break  # else it was a signal that ended `wait`, and not the child
  done
  trap - USR1 TERM
  if [[ $told == USR1 && $status == 130 ]]; then
    echo "vsr-dist: job $SLURM_JOB_ID goes back into the queue, to go on from what is committed"
    scontrol requeue "$SLURM_JOB_ID"
  fi
  return "$status"
}
