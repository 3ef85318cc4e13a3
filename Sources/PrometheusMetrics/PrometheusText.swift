// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// The rules of the text format: https://prometheus.io/docs/instrumenting/exposition_formats/
enum PrometheusText {
    /// A metric's or label's name, with `_` for what names cannot have.
    static func name(_ text: String) -> String {
        var name = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "a"..."z", "A"..."Z", "_": name.unicodeScalars.append(scalar)
            case "0"..."9" where !name.isEmpty: name.unicodeScalars.append(scalar)
            default: name += "_"
            }
        }
        return name.isEmpty ? "_" : name
    }

    /// `{a="1",b="2"}`, or nothing without dimensions.
    static func dimensions(_ dimensions: [(String, String)]) -> String {
        guard !dimensions.isEmpty else { return "" }
        let pairs = dimensions.sorted { $0.0 < $1.0 }.map { "\(name($0.0))=\"\(escaped(label: $0.1))\"" }
        return "{\(pairs.joined(separator: ","))}"
    }

    /// The dimensions with one more.
    static func dimensions(_ text: String, adding name: String, _ value: String) -> String {
        let pair = "\(name)=\"\(value)\""
        return text.isEmpty ? "{\(pair)}" : "\(text.dropLast()),\(pair)}"
    }

    static func escaped(label: String) -> String {
        let text = escaped(help: label)
        return text.utf8.contains(UInt8(ascii: "\"")) ? text.replacing("\"", with: "\\\"") : text
    }

    static func escaped(help: String) -> String {
        // Nearly every text, and it is looked up for each count.
        guard help.utf8.contains(where: { $0 == UInt8(ascii: "\\") || $0 == UInt8(ascii: "\n") }) else { return help }
        return help.replacing("\\", with: "\\\\").replacing("\n", with: "\\n")
    }

    /// A number as the format has it: whole ones without a point.
    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        return value == value.rounded() && abs(value) < 1e15 ? String(Int64(value)) : String(value)
    }
}
