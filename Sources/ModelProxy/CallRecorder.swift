// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// Where model calls are recorded.
package protocol CallRecorder: Sendable {
}
