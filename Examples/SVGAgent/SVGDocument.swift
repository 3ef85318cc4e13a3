// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation

#if canImport(FoundationXML)
import FoundationXML
#endif

/// An SVG out of a model's answer that is well-formed, small, and refers to nothing outside itself.
///
/// It begins with its root element: whatever stands before that, as a declaration of entities or of another encoding,
/// is left out, so that nothing can be hidden by it.
public struct SVGDocument: Sendable, Hashable {
    public static let maximumBytes = 16 << 10

    public let text: String

    /// Takes what stands from the first `<svg` to the last `</svg>`.
    ///
    /// - Throws: ``SVGFault``, the first that is found.
    public init(in answer: String) throws {
        guard let start = answer.firstRange(of: "<svg")?.lowerBound,
            let end = answer.ranges(of: "</svg>").last?.upperBound, start < end
        else { throw SVGFault("there is no <svg>…</svg> in the answer") }
        let text = String(answer[start..<end])
        guard text.utf8.count <= Self.maximumBytes else {
            throw SVGFault("it has \(text.utf8.count) bytes, and \(Self.maximumBytes) is the most")
        }
        let parser = XMLParser(data: Data(text.utf8))
        let rules = SVGRules()
        parser.delegate = rules
        parser.shouldProcessNamespaces = true
        parser.shouldResolveExternalEntities = false
        let isRead = parser.parse()
        let place = "line \(parser.lineNumber), column \(parser.columnNumber)"
        if let fault = rules.fault { throw SVGFault("\(fault) (\(place))") }
        // The parser goes on after some errors, and then says that all is well.
        guard isRead, parser.parserError == nil else { throw SVGFault("it is not well-formed XML (\(place))") }
        guard rules.drawsSomething else { throw SVGFault("it draws nothing") }
        self.text = text
    }
}

/// What is wrong with a drawing, in words for the model that drew it.
public struct SVGFault: Error, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
}
