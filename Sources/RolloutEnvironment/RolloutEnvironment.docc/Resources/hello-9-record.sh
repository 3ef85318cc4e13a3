rollcall rollout --environment http://localhost:3000 --model my-model --message "Who wrote Momo?" --json >row.json
rollout=$(python3 -c 'import json; print(json.load(open("row.json"))["execution_metadata"]["rollout_id"])')
curl --silent "http://localhost:8787/logs?tags=rollout_id:$rollout"
curl --silent "http://localhost:8787/v1/rollouts/$rollout/traces"
