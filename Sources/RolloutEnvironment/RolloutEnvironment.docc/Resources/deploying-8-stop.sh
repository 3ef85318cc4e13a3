kill $server $gateway && wait $server $gateway
