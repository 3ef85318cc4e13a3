// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// A path of the model API with something in it that cannot be used; the request is to be answered with 400.
public enum ModelPathError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The segment after `name` is not UTF-8 once its percent-escapes are resolved.
    case notUTF8(name: String)
    /// The id after `name` is longer than so many bytes.
    case idTooLong(name: String, limit: Int)
    /// The segment after `attempt` is not an ``AttemptID``.
    case badAttempt
    /// The segment after `encoded_base_url` is not URL-safe Base64 of a text.
    case encodedBaseURLNotBase64
    /// What `encoded_base_url` stands for is not an `http:` or `https:` URL with a host.
    case encodedBaseURLNotHTTP

    public var description: String {
        switch self {
        case .notUTF8(let name):
            "the path's \(name) is not UTF-8; percent-encode the UTF-8 bytes of the id"
        case .idTooLong(let name, let limit):
            "the path's \(name) is longer than \(limit) bytes; use a shorter id"
        case .badAttempt:
            "the path's attempt is not 1 to 64 characters of A-Z, a-z, 0-9, '.', '_' and '-'"
        case .encodedBaseURLNotBase64:
            "the path's encoded_base_url is not URL-safe Base64 of a URL; encode completion_params.base_url that way"
        case .encodedBaseURLNotHTTP:
            "the path's encoded_base_url does not stand for an http:// or https:// URL; correct completion_params.base_url"
        }
    }
}
