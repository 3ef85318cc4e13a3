// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// Bounds that hold unless a caller gives others.
public enum JSONLimits {
    /// How deeply arrays and objects may be nested. Python's parser gives up near 1,000.
    public static let depth = 512
}
