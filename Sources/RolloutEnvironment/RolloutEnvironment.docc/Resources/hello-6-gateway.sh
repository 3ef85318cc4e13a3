export PATH="$(realpath ../rollcall)/.build/release:$PATH"
rollcall gateway --upstream http://localhost:8000/v1 & gateway=$!
