// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import EvalProtocol

/// Which attempts of a rollout a reader wants.
package enum AttemptSelection: Sendable, Hashable {
    /// The newest one.
    case newest
    case all
    case named(AttemptID)
}
