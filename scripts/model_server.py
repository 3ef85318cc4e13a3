# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""Serves a GGUF model over OpenAI's chat completions API until it is told to stop.

Prints one line, `model server listening on http://127.0.0.1:PORT/v1`, when it is ready.
"""

import argparse
import os
import signal
import threading


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="path of the GGUF file")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--context", type=int, default=4096, help="tokens a conversation may have")
    return parser.parse_args()


def serve(arguments: argparse.Namespace):
    """The server; it serves for as long as the object lives."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = arguments.model
    params.model_alias = {"smollm2"}
    params.hostnames = ["127.0.0.1"]
    params.port = arguments.port
    params.n_ctx = arguments.context
    params.n_parallel = 1
    # One core is left to the others: threads that wait for each other crawl when one of them has no core.
    params.cpuparams.n_threads = max(1, (os.cpu_count() or 1) - 1)
    params.verbosity = -1
    return xllamacpp.Server(params)


def main() -> None:
    arguments = parse_arguments()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    server = serve(arguments)
    print(f"model server listening on {server.listening_address}/v1", flush=True)
    stop.wait()
    os._exit(0)  # the library's own threads need no farewell


if __name__ == "__main__":
    main()
