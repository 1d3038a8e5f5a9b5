// How a check in shared test code fails. The library must not depend on the test framework, so it throws; the suite
// that runs it reports the place.

/// A check that did not hold.
public struct ScenarioFailure: Error, CustomStringConvertible {
    public let description: String

    public init(_ what: String, file: StaticString = #fileID, line: UInt = #line) {
        description = "\(what) (\(file):\(line))"
    }
}

/// Fails unless `condition` holds.
public func require(
    _ condition: Bool, _ what: @autoclosure () -> String, file: StaticString = #fileID, line: UInt = #line
) throws {
    guard condition else { throw ScenarioFailure(what(), file: file, line: line) }
}
