.build/debug/LibrarianServer & server=$!
curl --silent --retry 20 --retry-connrefused http://localhost:3000/health
