// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import RolloutTracing
import TraceStore
import TracingGateway

/// How a command tells what went wrong: a sentence on standard error, and 64 for a setting that cannot be, 1 otherwise.
enum CommandFailure {
    static func reporting(_ command: String, _ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch let error as GatewaySettingError {
            StandardStreams.note("rollcall \(command): \(error.description)\n")
            throw ExitCode.validationFailure
        } catch let error where error is StoreError || error is GatewayStartError || error is TracingClientError {
            StandardStreams.note("rollcall \(command): \(error)\n")
            throw ExitCode.failure
        }
    }
}
