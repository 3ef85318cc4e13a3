// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation
public import RolloutEnvironment
import Subprocess

/// Makes pictures of drawings with librsvg's `rsvg-convert`.
///
/// The drawing goes to standard input. It then has no address that anything could be relative to, and librsvg loads
/// nothing from elsewhere for it, neither from a network nor from the disk.
public struct SVGRenderer: Sendable {
    /// The longer side of a picture.
    public static let pixels = 256
    /// No picture of that size is larger as PNG.
    private static let maximumPNGBytes = 300 << 10

    private let timeout: Duration
    private let variables: Environment

    /// - Parameter timeout: How long one picture may take.
    public init(timeout: Duration = .seconds(5)) {
        self.timeout = timeout
        // Nothing else, the environment's keys least of all.
        let own = ProcessInfo.processInfo.environment
        variables = .custom(["PATH": own["PATH"] ?? "/usr/bin:/bin", "HOME": own["HOME"] ?? "/"])
    }

    /// - Throws: ``RendererMissing``.
    public func check() async throws {
        do {
            let answer = try await Subprocess.run(
                .name("rsvg-convert"), arguments: ["--version"], environment: variables, output: .discarded)
            guard answer.terminationStatus.isSuccess else { throw RendererMissing(why: "\(answer.terminationStatus)") }
        } catch let error as SubprocessError {
            throw RendererMissing(why: "\(error)")
        }
    }

    /// The picture as PNG.
    ///
    /// - Throws: ``SVGFault`` when the drawing cannot be rendered in time, ``RendererMissing`` when nothing can.
    public func png(of document: SVGDocument) async throws -> [UInt8] {
        try await withThrowingTaskGroup(of: [UInt8].self) { group in
            group.addTask { try await convert(document) }
            group.addTask {
                try await Task.sleep(for: timeout)
                throw SVGFault("it takes longer than \(timeout) to render")
            }
            // The other task is cancelled, and the process ended with it.
            defer { group.cancelAll() }
            for try await png in group { return png }
            throw CancellationError()
        }
    }

    private func convert(_ document: SVGDocument) async throws -> [UInt8] {
        let size = String(Self.pixels)
        do {
            let result = try await Subprocess.run(
                .name("rsvg-convert"),
                arguments: ["--format", "png", "--width", size, "--height", size, "--keep-aspect-ratio"],
                environment: variables, input: .string(document.text), output: .bytes(limit: Self.maximumPNGBytes),
                error: .string(limit: 64 << 10))
            guard result.terminationStatus.isSuccess, !result.standardOutput.isEmpty else {
                let said = result.standardError.split(separator: "\n").last.map { String($0.prefix(200)) }
                throw SVGFault("it cannot be rendered: \(said ?? "\(result.terminationStatus)")")
            }
            return result.standardOutput
        } catch let error as SubprocessError {
            try Task.checkCancellation()
            if error.code == .outputLimitExceeded { throw SVGFault("it makes the renderer say too much") }
            throw RendererMissing(why: "\(error)")
        }
    }
}

/// `rsvg-convert` cannot be run: nobody's fault but the installation's, so that the rollout may be tried again.
public struct RendererMissing: RolloutFailure, CustomStringConvertible {
    let why: String

    public var description: String {
        "rsvg-convert cannot be run; install it (Debian: apt-get install librsvg2-bin): \(why)"
    }

    public var status: Status { .unavailable(description) }
}
