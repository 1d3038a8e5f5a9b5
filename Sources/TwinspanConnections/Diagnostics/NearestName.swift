// "Did you mean": the name of a list that a person most likely meant.

public enum NearestName {
    /// Longer names are not compared: the cost is quadratic, and no known name comes near this length.
    private static let comparedLengthMax = 80

    /// The closest candidate, nil when none is close: at most a third of the name's letters differ (two for short
    /// names, one for very short ones).
    public static func find(_ name: String, among candidates: [String]) -> String? {
        let target = Array(name.lowercased().utf8)
        guard !target.isEmpty, target.count <= comparedLengthMax else { return nil }
        let distanceMax = target.count <= 3 ? 1 : max(2, target.count / 3)
        var best: (name: String, distance: Int)?
        for candidate in candidates where candidate != name {
            let distance = editDistance(target, Array(candidate.lowercased().utf8))
            if distance <= distanceMax, distance < best?.distance ?? Int.max { best = (candidate, distance) }
        }
        return best?.name
    }

    /// Insertions, deletions, replacements and exchanges of neighbours count one each.
    private static func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var beforePrevious: [Int] = []
        var previous = Array(0...right.count)
        for row in left.indices {
            var current = [row + 1]
            current.reserveCapacity(right.count + 1)
            for column in right.indices {
                var distance = min(
                    previous[column] + (left[row] == right[column] ? 0 : 1), previous[column + 1] + 1,
                    current[column] + 1)
                if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
                    distance = min(distance, beforePrevious[column - 1] + 1)
                }
                current.append(distance)
            }
            beforePrevious = previous
            previous = current
        }
        return previous[right.count]
    }
}
