// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation

#if canImport(FoundationXML)
import FoundationXML
#endif

/// What a drawing may be made of. Elements are listed that may be used; attributes and styles may hold anything but what
/// runs, or leads out of the document.
final class SVGRules: NSObject, XMLParserDelegate {
    private static let drawing: Set<String> = [
        "circle", "ellipse", "line", "path", "polygon", "polyline", "rect", "text", "use",
    ]
    private static let allowed = drawing.union([
        "clipPath", "defs", "desc", "g", "linearGradient", "marker", "mask", "metadata", "pattern", "radialGradient",
        "stop", "style", "svg", "symbol", "textPath", "title", "tspan",
    ])
    /// None of these is in a reference to something within the document; the last is how CSS hides the others.
    private static let leadsOut = ["://", "@import", "data:", "javascript:", "\\"]

    private(set) var fault: String?
    private(set) var drawsSomething = false
    /// The text of the `<style>` that is being read.
    private var style: String?

    func parser(
        _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
        attributes: [String: String] = [:]
    ) {
        guard namespaceURI == "http://www.w3.org/2000/svg" else {
            return refuse("<\(short(name))> is not in the namespace http://www.w3.org/2000/svg", parser)
        }
        guard Self.allowed.contains(name) else { return refuse("<\(short(name))> may not be used", parser) }
        if Self.drawing.contains(name) { drawsSomething = true }
        if name == "style" { style = "" }
        for (attribute, value) in attributes.sorted(by: { $0.key < $1.key }) {
            if let why = Self.objection(to: attribute, value) { return refuse("\(short(attribute)) \(why)", parser) }
        }
    }

    func parser(_ parser: XMLParser, foundCharacters text: String) { style?.append(text) }

    func parser(_ parser: XMLParser, foundCDATA data: Data) { style?.append(String(decoding: data, as: UTF8.self)) }

    func parser(_ parser: XMLParser, didEndElement name: String, namespaceURI: String?, qualifiedName: String?) {
        guard let style else { return }
        if let why = Self.objection(to: style) { refuse("<style> \(why)", parser) }
        self.style = nil
    }

    func parser(_ parser: XMLParser, foundProcessingInstructionWithTarget target: String, data: String?) {
        refuse("<?\(short(target))?> may not be used", parser)
    }

    private func refuse(_ fault: String, _ parser: XMLParser) {
        self.fault = self.fault ?? fault
        parser.abortParsing()
    }

    private func short(_ name: String) -> String { String(name.prefix(40)) }

    /// Why an attribute may not be, if it may not.
    private static func objection(to attribute: String, _ value: String) -> String? {
        let name = attribute.split(separator: ":").last.map { $0.lowercased() } ?? ""
        if name.hasPrefix("on") { return "may not be used: nothing may run" }
        if name == "base" || name == "src" { return "may not be used: everything has to be in the document" }
        if name == "href" {
            return value.hasPrefix("#") ? nil : "may only refer to the document itself, as #name does"
        }
        return objection(to: value)
    }

    /// Why a value of an attribute or a style may not be.
    private static func objection(to value: String) -> String? {
        let value = value.lowercased()
        if let found = leadsOut.first(where: { value.contains($0) }) { return "may not hold \(found)" }
        let quotes = CharacterSet.whitespacesAndNewlines.union(CharacterSet(charactersIn: "\"'"))
        for reference in value.components(separatedBy: "url(").dropFirst()
        where !reference.trimmingCharacters(in: quotes).hasPrefix("#") {
            return "may only refer to the document itself, as url(#name) does"
        }
        return nil
    }
}
