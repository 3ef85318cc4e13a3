// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import WireJSON

/// Data that comes with a trace, packed: Base64 of one zstd frame, and a manifest that says which form it has.
public struct TracePayload: Sendable, Hashable {
    public var manifest: JSONObject
    /// The data as it stands in the trace.
    public var data: String

    public init(manifest: JSONObject, data: String) {
        self.manifest = manifest
        self.data = data
    }

    /// Packs `content`.
    ///
    /// - Parameter version: The form, such as ``LogprobsPayload/version``.
    public init(version: String, content: [UInt8]) {
        manifest = ["PayloadVersion": .string(version)]
        data = Base64.encoded(ZstandardFrame.rawBlocks(content))
    }

    /// The unpacked data, for the `init(decoding:)` of a payload.
    ///
    /// - Throws: ``PayloadError`` when the data is not Base64 of a zstd frame, or is compressed.
    public func content() throws -> [UInt8] {
        guard let frame = Base64.decoded(data.utf8) else { throw PayloadError("the payload's data is not Base64") }
        guard let content = try ZstandardFrame.contentOfRawBlocks(frame) else {
            throw PayloadError("the payload's data is compressed; only uncompressed zstd frames can be read")
        }
        return content
    }
}

extension TracePayload: JSONConvertible {
    public init(from reader: JSONReader) throws(JSONDecodingError) {
        _ = try reader.object()
        manifest = try reader["manifest"].present?.object() ?? [:]
        data = try reader["data"].string()
    }

    public var json: JSONValue { ["manifest": .object(manifest), "data": .string(data)] }
}
