rollcall rollout --environment http://localhost:3000 --model my-model --message "Where is Momo?" --json >row.json
python3 -m json.tool row.json
