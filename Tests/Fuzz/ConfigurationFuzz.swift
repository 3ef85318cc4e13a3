// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import ModelProxy
import TraceStore

/// Upstream rules lead nowhere but to hosts and paths that they name, and keys open what they are for.
///
/// The lines of an input are an upstream, rules, a caller's base URL, the end of a path; the rest are keys.
enum ConfigurationFuzz: FuzzTarget {
    static let name = "configuration"

    static let seeds = [
        "http://localhost:8000/v1/\nhttps://a.example,http://[::1]:*/x\nhttp://[::1]:99/x/y/\n/chat/completions\nkey account\n# no\nother",
        "https://H.example/chat/completions\nhttp://b:80\n\n/models/a%2eb\nk1, k2 ,,k3", "\n\n\n\n",
    ].map { Array($0.utf8) }

    static func run(_ input: [UInt8]) {
        let lines = input.split(separator: 0x0A, maxSplits: 4, omittingEmptySubsequences: false).map {
            String(decoding: $0, as: UTF8.self)
        }
        guard lines.count == 5 else { return }
        resolve(upstream: lines[0], rules: lines[1], baseURL: lines[2], suffix: lines[3])
        checkKeys(lines[4])
    }

    private static func resolve(upstream: String, rules: String, baseURL: String, suffix: String) {
        // As the parsers of requests leave it.
        guard suffix.hasPrefix("/"), suffix.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return }
        let allowed = rules.split(separator: ",").map(String.init)
        guard let rules = try? UpstreamRules(upstream: upstream.isEmpty ? nil : upstream, allowed: allowed) else {
            return
        }
        guard case .success(let target) = rules.resolve(baseURL: baseURL.isEmpty ? nil : baseURL, suffix: suffix) else {
            return
        }
        require((1...65535).contains(target.origin.port), "a target has a port")
        require(!target.origin.host.isEmpty, "a target has a host")
        require(target.origin.host.allSatisfy { $0.isLetter || $0.isNumber || "-._:".contains($0) }, "a host is one")
        require(target.url.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }, "a target fits a request's head")
        require(target.path.hasSuffix(suffix), "a target ends in the API's name")
        let plain = target.path.lowercased().replacing("%2e", with: ".").replacing("%2f", with: "/").replacing(
            "%5c", with: "\\")
        require(
            !plain.split { "/\\".contains($0) }.contains { $0 == "." || $0 == ".." },
            "a target's path stays in its place")
        require(target.key == nil, "no key comes from nowhere")
        if baseURL.isEmpty { return }
        let names = ([upstream] + allowed).map { $0.lowercased() }
        require(names.contains { $0.contains(target.origin.host) }, "the host of a target is one that was named")
    }

    private static func checkKeys(_ text: String) {
        let list = KeyRing(list: text)
        let keys = text.utf8.split(separator: UInt8(ascii: ",")).map { part in
            var key = Array(part)
            while let first = key.first, first <= 0x20 { key.removeFirst() }
            while let last = key.last, last <= 0x20 { key.removeLast() }
            return key
        }.filter { !$0.isEmpty }
        require(list.isOpen == keys.isEmpty, "a list without keys is open")
        for key in keys {
            let authorization = "Bearer \(String(decoding: key, as: UTF8.self))"
            require(list.account(authorization: authorization) == .default, "a key opens")
        }
        guard let file = try? KeyRing(file: text, name: "keys") else { return }
        require(!file.isOpen, "a file has a key")
        require(file.account(authorization: nil) == nil, "without a key nothing opens")
        require(file.account(authorization: "Bearer \(text)\u{1}x") == nil, "what is no key does not open")
    }
}
