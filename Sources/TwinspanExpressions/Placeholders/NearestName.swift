// "Did you mean": the closest of a list of names, for diagnostics. Never on the per-message path.

/// Finds the name a person most likely meant.
enum NearestName {
    /// Longer names are not compared: the cost is quadratic, and no known name comes near this length.
    private static let comparedLengthMax = 60

    /// The closest candidate within a third of the name's length (at least two edits); `nil` when none is close.
    static func find(_ name: String, among candidates: [String]) -> String? {
        let target = Array(name.utf8)
        guard !target.isEmpty, target.count <= comparedLengthMax else { return nil }
        let distanceMax = max(2, target.count / 3)
        var best: (name: String, distance: Int)?
        // Lengths that differ by more than the bound need more edits than the bound.
        for candidate in candidates where abs(candidate.utf8.count - target.count) <= distanceMax {
            let distance = editDistance(target, Array(candidate.utf8), distanceMax: distanceMax)
            if distance <= distanceMax, distance < best?.distance ?? Int.max, distance < target.count {
                best = (candidate, distance)
            }
        }
        return best?.name
    }

    /// ` Did you mean '…'?`, or nothing.
    static func hint(for name: String, among candidates: [String]) -> String {
        find(name, among: candidates).map { " Did you mean '\($0)'?" } ?? ""
    }

    /// Insertions, deletions, replacements and case changes count one each. Gives up above `distanceMax`.
    private static func editDistance(_ left: [UInt8], _ right: [UInt8], distanceMax: Int) -> Int {
        var distances = Array(0...right.count)
        for row in 0..<left.count {
            var diagonal = distances[0]
            distances[0] = row + 1
            var rowMin = row + 1
            for column in 0..<right.count {
                let replaced = diagonal + (left[row] == right[column] ? 0 : 1)
                diagonal = distances[column + 1]
                let distance = min(replaced, diagonal + 1, distances[column] + 1)
                distances[column + 1] = distance
                rowMin = min(rowMin, distance)
            }
            if rowMin > distanceMax { return rowMin }
        }
        return distances[right.count]
    }
}
