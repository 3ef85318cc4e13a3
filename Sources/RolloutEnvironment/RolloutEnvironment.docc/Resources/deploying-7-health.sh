curl --silent http://localhost:3000/health
curl --silent --header "Authorization: Bearer $FIREWORKS_API_KEY" http://localhost:3000/metrics
