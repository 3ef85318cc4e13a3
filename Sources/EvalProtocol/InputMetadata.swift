// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import WireJSON

/// Where a row came from and what it was run with.
public struct InputMetadata: Sendable, Hashable {
    public var rowID: String?
    public var completionParameters: JSONObject
    public var datasetInfo: JSONObject?
    public var sessionData: JSONObject?
    /// Members that are none of the above, kept as they came.
    public var additional: JSONObject

    public init(
        rowID: String? = nil, completionParameters: JSONObject = [:], datasetInfo: JSONObject? = nil,
        sessionData: JSONObject? = nil, additional: JSONObject = [:]
    ) {
        self.rowID = rowID
        self.completionParameters = completionParameters
        self.datasetInfo = datasetInfo
        self.sessionData = sessionData
        self.additional = additional
    }
}

extension InputMetadata: JSONConvertible {
    private static let knownKeys: Set<String> = ["row_id", "completion_params", "dataset_info", "session_data"]

    public init(from reader: JSONReader) throws(JSONDecodingError) {
        let object = try reader.object()
        rowID = try reader["row_id"].present?.string()
        completionParameters = try reader["completion_params"].present?.object() ?? [:]
        datasetInfo = try reader["dataset_info"].present?.object()
        sessionData = try reader["session_data"].present?.object()
        additional = object.removing(Self.knownKeys)
    }

    public var json: JSONValue {
        var object: JSONObject = [
            "row_id": rowID.map { .string($0) } ?? .null,
            "completion_params": .object(completionParameters),
            "dataset_info": datasetInfo.map { .object($0) } ?? .null,
            "session_data": sessionData.map { .object($0) } ?? .null,
        ]
        for member in additional.members { object.append(member.key.text, member.value) }
        return .object(object)
    }
}
