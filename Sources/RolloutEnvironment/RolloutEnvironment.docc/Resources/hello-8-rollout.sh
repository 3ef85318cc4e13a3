rollcall rollout --environment http://localhost:3000 --model my-model --message "Who wrote Momo?"
