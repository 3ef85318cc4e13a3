// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import ArgumentParser

/// The flags of `rollcall gateway`. They are texts here; ``GatewaySettings`` reads them together with the variables.
struct GatewayOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The name or address to listen on; localhost is 127.0.0.1 and ::1. (ROLLCALL_HOST; default: localhost)",
            valueName: "host"))
    var host: String?

    @Option(
        help: ArgumentHelp(
            "The port to listen on; 0 takes a free one. (ROLLCALL_PORT; default: 8787)", valueName: "port"))
    var port: String?

    @Option(
        help: ArgumentHelp(
            "Where to record: sqlite:PATH, a file that one gateway has for itself. "
                + "(ROLLCALL_STORE; default: sqlite:rollcall.sqlite)",
            valueName: "store"))
    var store: String?

    @Option(
        help: ArgumentHelp(
            "The base URL of the model API for calls that name no other, for example http://localhost:8000/v1. "
                + "(ROLLCALL_UPSTREAM)",
            valueName: "url"))
    var upstream: String?

    @Option(
        name: .customLong("allow-upstream"),
        help: ArgumentHelp(
            "Another upstream that calls may name by completion_params.base_url: ORIGIN[/PREFIX][=KEY_VARIABLE], where "
                + "the port * is any. Can be repeated. (ROLLCALL_ALLOW_UPSTREAM, separated by commas)",
            valueName: "origin"))
    var allowUpstream: [String] = []

    @Option(
        help: ArgumentHelp(
            "What is recorded for training: none, logprobs or tokens; ORIGIN=LEVEL for one upstream, and then repeatable. "
                + "(ROLLCALL_CAPTURE, separated by commas; default: none)",
            valueName: "level"))
    var capture: [String] = []

    @Option(
        help: ArgumentHelp(
            "The kind of server that is asked for it: openai, vllm, sglang, llamacpp or fireworks; with +routing "
                + "(vllm, sglang, fireworks) its experts too; ORIGIN=PROFILE for one upstream, and then repeatable. "
                + "(ROLLCALL_PROFILE, separated by commas; default: openai)",
            valueName: "profile"))
    var profile: [String] = []

    @Option(
        name: .customLong("upstream-key-file"),
        help: ArgumentHelp(
            "A file with the key for --upstream; it goes to that origin only. (ROLLCALL_UPSTREAM_KEY holds the key itself)",
            valueName: "file"))
    var upstreamKeyFile: String?

    @Option(
        name: .customLong("api-keys-file"),
        help: ArgumentHelp(
            "A file with the keys that the gateway takes, a line KEY [ACCOUNT] each. (ROLLCALL_API_KEYS holds keys "
                + "themselves, separated by commas). Without keys any key passes and the gateway listens on loopback only.",
            valueName: "file"))
    var apiKeysFile: String?

    @Flag(
        name: .customLong("forward-authorization"),
        help: ArgumentHelp(
            "With keys, too, pass a caller's Authorization on to upstreams without a key of their own. Without keys it "
                + "always goes on. (ROLLCALL_FORWARD_AUTHORIZATION=1)"))
    var forwardAuthorization = false

    @Option(
        help: ArgumentHelp(
            "Delete a rollout when nothing has come of it for so long: 30d, 12h, 90m or 45s. "
                + "(ROLLCALL_RETAIN; default: keep all)",
            valueName: "time"))
    var retain: String?

    @Option(
        help: ArgumentHelp(
            "Seconds that running calls may take once the gateway is to stop. (ROLLCALL_GRACE; default: 30)",
            valueName: "seconds"))
    var grace: String?

    @Option(
        name: .customLong("log-level"),
        help: ArgumentHelp(
            "trace, debug, info, notice, warning, error or critical. (ROLLCALL_LOG_LEVEL; default: info)",
            valueName: "level"))
    var logLevel: String?

    @Option(
        name: .customLong("log-format"),
        help: ArgumentHelp(
            "How lines on standard error look: text or json. (ROLLCALL_LOG_FORMAT; default: text)", valueName: "format")
    )
    var logFormat: String?

    @Flag(help: "Show no line of figures where standard error is a terminal. (ROLLCALL_QUIET=1)")
    var quiet = false
}
