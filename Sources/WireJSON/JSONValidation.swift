// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// Tells whether bytes are JSON, without making anything of them.
public enum JSONValidation {
    /// Checks one JSON document by the same rules as ``JSONValue/init(parsing:maximumDepth:)-([UInt8],_)``.
    ///
    /// - Throws: ``JSONError`` with the offset at which the bytes stop being JSON, or are nested too deeply.
    public static func validate(
        _ bytes: borrowing Span<UInt8>, maximumDepth: Int = JSONLimits.depth
    ) throws(JSONError) {
        let error: JSONError? = bytes.withUnsafeBufferPointer { buffer in
            var scanner = JSONScanner(buffer)
            do throws(JSONError) {
                try scanner.value(maximumDepth: maximumDepth)
                try scanner.documentEnd()
                return nil
            } catch {
                return error
            }
        }
        if let error { throw error }
    }
}
