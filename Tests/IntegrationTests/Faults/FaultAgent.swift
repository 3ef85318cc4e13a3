// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// The agent of the fault test: it does what its last message says.
enum FaultAgent {
    /// Every line that it writes begins with its rollout and attempt.
    static let code = #"""
        import json, os, signal, socket, sys, time
        request = json.load(sys.stdin)
        role = json.loads(request["messages"][-1]["content"])
        mark = "<%s %s>" % (os.environ["EP_ROLLOUT_ID"], os.environ["ROLLCALL_ATTEMPT"])

        def unhandled(kind, error, trace):
            import traceback
            for line in "".join(traceback.format_exception(kind, error, trace)).splitlines():
                print(mark, line, file=sys.stderr)

        sys.excepthook = unhandled

        def say(text):
            print(mark, text, flush=True)

        def post(url, body, key):
            host, _, path = url.removeprefix("http://").partition("/")
            name, _, port = host.partition(":")
            body = json.dumps(body).encode()
            head = [f"POST /{path} HTTP/1.1", f"Host: {host}", f"Authorization: Bearer {key}",
                    f"Content-Length: {len(body)}", "Content-Type: application/json", "Connection: close", "", ""]
            with socket.create_connection((name, int(port))) as connection:
                connection.sendall("\r\n".join(head).encode() + body)
                answer = b"".join(iter(lambda: connection.recv(65536), b""))
            if answer[9:12] != b"200":
                raise RuntimeError(f"{url.rpartition('/')[2]} was answered {answer[:200]!r}")
            return answer.decode()

        def ask(model):
            url = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
            answer = post(url, {"model": model, "messages": request["messages"]}, os.environ["OPENAI_API_KEY"])
            if role["rollout"] not in answer:
                say("the answer is another rollout's")
                sys.exit(99)

        def tell(message, code=None):
            status = code and {"code": code, "message": mark + " told", "details": []}
            body = {"program": "eval_protocol", "message": f"{mark} {message}", "status": status,
                    "tags": ["rollout_id:" + os.environ["EP_ROLLOUT_ID"]], "extras": {"told": mark}}
            post(os.environ["FW_TRACING_GATEWAY_BASE_URL"] + "/logs", body, os.environ["FIREWORKS_API_KEY"])

        def work():
            time.sleep(role["seconds"])

        def hang():
            if role["calls"]:
                ask("endless")
            while True:
                time.sleep(600)

        def linger():
            if os.fork() == 0:
                os.setsid()
                if os.fork() != 0:
                    os._exit(0)
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                if role["calls"]:
                    for descriptor in range(3):
                        os.close(descriptor)
                time.sleep(600)
            os.wait()

        class Behaviours:
            def finishes(): work()
            def fails(): work(); raise ValueError("not today")
            def exits(): work(); sys.exit(role["code"])
            def hangs(): hang()
            def waits(): hang()
            def killed(): work(); os.kill(os.getpid(), signal.SIGKILL)
            def crashes(): work(); os.kill(os.getpid(), role["code"])
            def forks(): linger(); work(); sys.exit(role["code"])
            def reports(): work(); tell("reported", role["code"]); sys.exit(1)
            def stays(): work(); tell("reported", role["code"]); hang()
            def hungry(): work(); bytearray(2 << 30)

            def deaf():
                for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                    signal.signal(number, signal.SIG_IGN)
                hang()

            def closes():
                os.close(1)
                os.close(2)
                work()
                os._exit(role["code"])

            def floods():
                for start in range(0, 100_000, 500):
                    sys.stdout.write("".join(f"{mark} line {start + index}\n" for index in range(500)))

            def binary():
                for _ in range(20):
                    noise = bytes(byte for byte in os.urandom(3_000) if byte not in b"\r\n")
                    os.write(1, mark.encode() + b" " + noise + b"\n")
                work()
                os.write(2, mark.encode() + b" no end")

            def leaks():
                for index in range(100):
                    for descriptor in os.pipe():
                        os.set_inheritable(descriptor, True)
                    os.open(f"{os.environ['TMPDIR']}/{index}", os.O_CREAT | os.O_RDWR)
                linger()
                work()

            def says():
                work()
                status = {"code": role["code"], "message": mark + " said"}
                print(json.dumps({"status": status, "message": mark + " said", "extras": {"said": mark}}))
                sys.exit(1)

        say("begun")
        if role["tells"]:
            tell("told")
        ask("scripted")
        getattr(Behaviours, role["behaviour"])()
        """#
}
