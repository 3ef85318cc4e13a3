// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import EvalProtocol
package import TraceStore

extension KeyRing {
    /// The account of an `Authorization` header's value, `nil` when its key is none of the ring's.
    package func account(authorization: String?) -> Account? {
        account(bytes: authorization.map { ArraySlice($0.utf8) })
    }

    /// The same for the value's bytes.
    func account(bytes authorization: ArraySlice<UInt8>?) -> Account? {
        accountName(authorization: authorization).map { Account($0) }
    }
}
