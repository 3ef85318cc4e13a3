// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// A value whose copies share it until one of them is changed: a copy counts one reference, and not one for each of a
/// record's or a state's two dozen parts.
///
/// Public, though nobody outside the package sees it, for only then is it inlinable.
public struct Shared<Value: Sendable>: Sendable {
    /// Unchecked, for nothing in it changes while more than one value has it.
    @usableFromInline
    final class Box: @unchecked Sendable {
        @usableFromInline var value: Value

        @inlinable
        init(_ value: Value) { self.value = value }
    }

    @usableFromInline var box: Box

    @inlinable
    public init(_ value: Value) { box = Box(value) }

    @inlinable
    public var value: Value {
        _read { yield box.value }
        _modify {
            if !isKnownUniquelyReferenced(&box) { box = Box(box.value) }
            yield &box.value
        }
    }
}

extension Shared: Equatable where Value: Equatable {
    @inlinable
    public static func == (left: Self, right: Self) -> Bool {
        left.box === right.box || left.box.value == right.box.value
    }
}

extension Shared: Hashable where Value: Hashable {
    @inlinable
    public func hash(into hasher: inout Hasher) { hasher.combine(box.value) }
}
