// Where reading a partition begins: at the furthest of our own place, which was committed with the effects of what lies
// before it, and the group's, which another instance may have moved on. So the effect is exactly once, and an instance
// that another took over from does not go back.

/// Decides where to begin with a partition.
struct StartingPlace: Equatable {
    /// What is wrong with the place we had.
    enum Finding: Equatable {
        /// The topic ends before it: it was made anew.
        case ahead(of: Int64)
        /// The topic begins behind it: records were deleted before they were read.
        case behind(Int64)
    }

    /// The next offset to read; negative is the library's word for one of the ends.
    var offset: Int64
    var finding: Finding?

    /// - Parameters:
    ///   - own: the place our store has.
    ///   - group: the place the group has committed.
    ///   - first: of the partition's first record; nil when nobody told.
    ///   - end: behind its last record; nil when nobody told.
    ///   - beginsAtStart: where to begin when there is no place.
    init(own: Int64?, group: Int64?, first: Int64?, end: Int64?, beginsAtStart: Bool) {
        let known = max(own ?? -1, group ?? -1)
        guard known >= 0 else {
            offset = beginsAtStart ? first ?? StartingPlace.atStart : end ?? StartingPlace.atEnd
            return
        }
        offset = known
        if let end, known > end {
            finding = .ahead(of: known)
            // The group's place alone may be right, e.g. when only ours is of the topic's earlier life.
            offset = group.flatMap { $0 >= 0 && $0 <= end ? $0 : nil } ?? first ?? 0
        }
        if let first, offset < first {
            if finding == nil { finding = .behind(offset) }
            offset = first
        }
    }

    /// The library's words for the ends of a partition.
    static let atStart: Int64 = -2
    static let atEnd: Int64 = -1
}
