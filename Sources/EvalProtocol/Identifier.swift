// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// Makes ids that people can tell apart: `quiet-otter-482913`.
public enum Identifier {
    public static func random() -> String {
        var generator = SystemRandomNumberGenerator()
        return random(using: &generator)
    }

    public static func random(using generator: inout some RandomNumberGenerator) -> String {
        let adjective = adjectives[Int.random(in: adjectives.indices, using: &generator)]
        let noun = nouns[Int.random(in: nouns.indices, using: &generator)]
        return "\(adjective)-\(noun)-\(Int.random(in: 100_000...999_999, using: &generator))"
    }

    private static let adjectives = [
        "amber", "bold", "brave", "bright", "calm", "clear", "crisp", "deep", "eager", "early", "fair", "fast",
        "fresh", "gentle", "glad", "golden", "grand", "green", "happy", "honest", "keen", "kind", "light", "lively",
        "lucky", "mellow", "merry", "neat", "noble", "open", "patient", "plain", "proud", "quick", "quiet", "rapid",
        "ready", "rosy", "sharp", "silver", "smooth", "solid", "steady", "still", "sunny", "swift", "tidy", "warm",
        "wide", "wise", "young", "zesty",
    ]

    private static let nouns = [
        "acorn", "badger", "beacon", "birch", "brook", "cedar", "cliff", "clover", "comet", "coral", "crane", "delta",
        "ember", "falcon", "fern", "field", "finch", "forest", "garden", "glade", "harbor", "hazel", "heron", "hill",
        "island", "lake", "lark", "maple", "meadow", "moon", "mountain", "oak", "ocean", "orchard", "otter", "pebble",
        "pine", "planet", "prairie", "raven", "reef", "ridge", "river", "robin", "shore", "spruce", "star", "stone",
        "summit", "thicket", "valley", "willow",
    ]
}
