#!/bin/sh
# Claims lakeFS's one administrator before the port can be reached: until this is done, whoever
# reaches it first may. Safe to repeat, and for two pods at once: the second is told that set-up is
# complete, or loses a race and asks again.
#
# usage: set-up.sh   with the pod's environment
# LAKEFS_PROGRAM, LAKEFS_CONFIGURATION: where they are, if not where the image and the pod have them.
set -u

program="${LAKEFS_PROGRAM:-/app/lakefs}"
configuration="${LAKEFS_CONFIGURATION:-/etc/lakefs/lakefs.yaml}"
attempts=12

attempt=1
while [ "$attempt" -le "$attempts" ]; do
  # What it says on success holds the secret key: it must not get into the pod's log.
  if said="$("$program" --config "$configuration" setup --user-name ops \
    --access-key-id "$SET_UP_ACCESS_KEY_ID" \
    --secret-access-key "$SET_UP_SECRET_ACCESS_KEY" 2>&1)"; then
    echo "lakeFS is set up; its administrator is ops"
    exit 0
  fi
  case "$said" in
    *"Setup is already complete."*)
      echo "lakeFS was set up before"
      exit 0
      ;;
  esac
  echo "attempt $attempt of $attempts: $said" >&2
  attempt=$((attempt + 1))
  sleep 5
done

case "$said" in
  *"already exists"*)
    echo "A set-up was cut off after it had made its user. Remove that user from lakeFS's database:" >&2
    echo "  delete from kv where partition_key = 'basicAuth'" >&2
    ;;
esac
exit 1
