swift build
kill $server $gateway && wait $server $gateway
export FIREWORKS_API_KEY=$(python3 -c 'import secrets; print(secrets.token_hex(24))')
export FW_TRACING_GATEWAY_BASE_URL=http://localhost:8787
export LIBRARIAN_JOURNAL=$PWD/journal
ROLLCALL_API_KEYS=$FIREWORKS_API_KEY rollcall gateway --store sqlite:traces.sqlite --upstream http://localhost:8000/v1 & gateway=$!
.build/debug/LibrarianServer & server=$!
curl --silent --retry 20 --retry-connrefused http://localhost:8787/ready http://localhost:3000/health
