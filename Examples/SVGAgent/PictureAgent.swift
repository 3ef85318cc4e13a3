// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation
public import RolloutEnvironment

/// Lets the model draw until there is a picture, or it has had all its turns.
public struct PictureAgent: Sendable {
    private static let instructions = """
        You draw in SVG. Answer with one <svg> element and nothing else. It has a viewBox and the namespace \
        http://www.w3.org/2000/svg, and is made of shapes, text and gradients: no scripts, no animations, no filters, \
        no images, nothing from elsewhere. It has at most \(SVGDocument.maximumBytes) bytes.
        """

    let renderer: SVGRenderer
    let maximumTurns: Int

    /// - Parameter maximumTurns: How often the model may draw.
    public init(renderer: SVGRenderer, maximumTurns: Int) {
        self.renderer = renderer
        self.maximumTurns = maximumTurns
    }

    /// The reward is 1 for a picture at once, 1/2 at the second turn, 1/3 at the third, and 0 for none.
    public func run(_ rollout: Rollout) async throws -> Status {
        var messages = [Message.system(Self.instructions)] + rollout.messages
        for turn in 1...maximumTurns {
            let answer = try await rollout.model.complete(messages).message
            do {
                let document = try SVGDocument(in: answer.text)
                let png = try await renderer.png(of: document)
                leave(png, of: rollout)
                return .finished(
                    "A picture at turn \(turn)", reward: 1 / Double(turn), reason: .stop,
                    extras: ["turns": .number(turn), "svg": .string(document.text)])
            } catch let fault as SVGFault {
                rollout.logger.info("turn \(turn): \(fault)")
                messages += [answer, .user("That is no picture yet: \(fault). Draw it again, the whole of it.")]
            }
        }
        return .finished(
            "No picture within \(maximumTurns) turns", reward: 0, reason: .maxSteps,
            extras: ["turns": .number(maximumTurns)])
    }

    /// A line of the log holds the picture, where people and scorers find it. It stays out of the status, which the
    /// gateway keeps in memory and sends to all who wait, and, as it is for debugging only, out of this process's own log.
    private func leave(_ png: [UInt8], of rollout: Rollout) {
        rollout.logger.debug(
            "the picture, \(png.count) bytes of PNG",
            metadata: ["picture": "data:image/png;base64,\(Data(png).base64EncodedString())"])
    }
}
