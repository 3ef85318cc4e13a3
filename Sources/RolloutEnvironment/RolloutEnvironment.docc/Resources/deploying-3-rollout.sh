rollcall rollout --environment http://localhost:3000 --model my-model --message "Where is Momo?"
FIREWORKS_API_KEY=wrong rollcall rollout --environment http://localhost:3000 --model my-model --message "Where is Momo?" ||
    echo "refused, as it should be"
