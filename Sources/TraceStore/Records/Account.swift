// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// Whose a stored thing is. A key belongs to one account, and an account sees its own only.
package struct Account: Sendable, Hashable {
    package let name: String

    package init(_ name: String) { self.name = name }

    /// The account of a gateway without keys, and of keys without an account's name.
    package static let `default` = Account("default")
}
