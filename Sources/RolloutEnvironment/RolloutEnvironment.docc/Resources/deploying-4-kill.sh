rollcall rollout --environment http://localhost:3000 --model my-model --message "Take your time: where is Momo?" & caller=$!
sleep 1
kill -9 $server
.build/debug/LibrarianServer & server=$!
wait $caller
