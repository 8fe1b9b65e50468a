#!/usr/bin/env bash
# The HTTP side of a job with nothing but curl: bash curl.sh. LETUIN_URL says where the api is, LETUIN_TOKEN who asks.
set -euo pipefail
api="${LETUIN_URL:-http://127.0.0.1:8000}/api/v1"

call() {
  curl --silent --show-error --fail-with-body ${LETUIN_TOKEN:+-H "Authorization: Bearer $LETUIN_TOKEN"} \
    -H 'Content-Type: application/json' "$@"
}

echo "# Submit and wait: 200 with the result when it ends within 10 s, else 202 with the job as it is"
call "$api/jobs" -H 'Prefer: wait=10' -d '{"kind": "system.echo", "payload": {"message": "hello"}}'

echo; echo "# Submit: 202 at once; the Location header is where the job is"
location=$(call "$api/jobs" -o /dev/null -w '%header{location}' -d '{"kind": "system.sleep", "payload": {"seconds": 2}}')
job="${api%/api/v1}$location"
echo "$job"

echo "# Long poll: the answer comes when the job has ended, at the latest after 10 s"
call "$job" -H 'Prefer: wait=10'

echo; echo "# Cancel: 200 when it stopped at once, 202 when its worker was asked to stop"
location=$(call "$api/jobs" -o /dev/null -w '%header{location}' -d '{"kind": "system.sleep", "payload": {"seconds": 600}}')
call "${api%/api/v1}$location/cancel" -X POST -o /dev/null -w '%{http_code}\n'

echo "# The five newest jobs"
call "$api/jobs?limit=5"
